#pragma once
// One function for each file of this folder.

#include "models/delivery.h"

namespace missive {

DeliveryModel extract_delivery();
DeliveryModel fuse_delivery();
DeliveryModel erofs_delivery();
DeliveryModel mmap_delivery();

}  // namespace missive
