#include "real/domains/cells/sharing.h"

#include <map>

#include "models/random.h"
#include "real/domains/cells/exchange.h"
#include "real/domains/cells/timing.h"

namespace missive::domains {

namespace {

void measure_size(const Mechanism& mechanism, std::size_t size, const SharingOptions& o,
                  CellResult& result) {
  Exchange exchange(mechanism, size, o.domain);
  const std::vector<Way> ways = exchange.ways();
  std::map<Way, std::uint64_t> n;
  std::map<Way, std::vector<double>> seconds;
  for (const Way way : ways) n[way] = batch_size(o.batch_seconds, [&] { exchange.run(way); });
  std::vector<Way> order = ways;
  Random random(o.seed, size);
  for (int r = 0; r < o.repetitions; ++r) {
    random.shuffle(order);
    for (const Way way : order)
      seconds[way].push_back(warm_batch_seconds(n[way], [&] { exchange.run(way); }));
  }
  for (const Way way : ways)
    result.series.push_back({"sharing.message", name_of(way), size, "s", seconds[way]});
}

}  // namespace

CellResult measure_sharing(const Mechanism& mechanism, const SharingOptions& options) {
  CellResult result{mechanism.name, {}, {}};
  for (const std::size_t size : options.sizes) {
    try {
      measure_size(mechanism, size, options, result);
    } catch (const DomainFault&) {
      throw;
    } catch (const InputError& e) {  // larger than this mechanism's domains can be
      result.stopped_by = e.what();
      return result;
    } catch (const NotAvailable& e) {
      result.stopped_by = e.what();
      return result;
    }
  }
  return result;
}

}  // namespace missive::domains
