#include "real/verify/algorithms/multi_buffer_jobs.h"

#include <algorithm>
#include <cstring>

#include <intel-ipsec-mb.h>

#include "models/error.h"

namespace missive::verify {

namespace {

void check_done(const IMB_JOB* job) {
  if (job->status != IMB_STATUS_COMPLETED)
    throw RunError("libipsec-mb refused a job (status " + std::to_string(job->status) + ")");
}

}  // namespace

// IMB_SUBMIT_JOB validates each job; the call without checks saves nothing that shows at 4 KiB.
void run_hash_jobs(MultiBuffer& manager, std::span<const std::byte> data, std::size_t block,
                   std::span<std::byte> out, std::size_t digest_bytes,
                   const std::function<void(IMB_JOB&)>& prepare) {
  IMB_MGR* const m = manager.get();
  IMB_JOB form;
  std::memset(&form, 0, sizeof form);
  form.cipher_mode = IMB_CIPHER_NULL;
  form.cipher_direction = IMB_DIR_ENCRYPT;
  form.chain_order = IMB_ORDER_HASH_CIPHER;
  form.auth_tag_output_len_in_bytes = digest_bytes;
  prepare(form);
  const std::size_t messages = data.empty() ? 1 : (data.size() + block - 1) / block;
  // The library refuses a null pointer even where there is nothing to read.
  const std::byte nothing{};
  const std::byte* const from = data.empty() ? &nothing : data.data();
  std::size_t done = 0;
  // Whatever happens, no job may stay in the manager: it points into `data` and `out`.
  try {
    for (std::size_t i = 0; i < messages; ++i) {
      IMB_JOB* const job = IMB_GET_NEXT_JOB(m);
      *job = form;
      job->src = reinterpret_cast<const std::uint8_t*>(from) + i * block;
      job->msg_len_to_hash_in_bytes = std::min(block, data.size() - i * block);
      job->auth_tag_output = reinterpret_cast<std::uint8_t*>(out.data()) + i * digest_bytes;
      for (const IMB_JOB* ready = IMB_SUBMIT_JOB(m); ready != nullptr;
           ready = IMB_GET_COMPLETED_JOB(m), ++done)
        check_done(ready);
      if (imb_get_errno(m) != 0)
        throw RunError(std::string("libipsec-mb refused a job: ") +
                       imb_get_strerror(imb_get_errno(m)));
    }
    for (const IMB_JOB* ready = IMB_FLUSH_JOB(m); ready != nullptr;
         ready = IMB_FLUSH_JOB(m), ++done)
      check_done(ready);
  } catch (...) {
    while (IMB_FLUSH_JOB(m) != nullptr) {
    }
    throw;
  }
  if (done != messages) throw RunError("libipsec-mb lost a job");
}

}  // namespace missive::verify
