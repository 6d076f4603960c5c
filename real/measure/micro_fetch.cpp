// Micro-measurements of what a launch that is not hot asks of its cache, one after the other: a
// cache that was just started, with an empty store, fetches an image, assembles it and hands it
// over. Each is timed behind the ones before it, since it finds in the processor's caches, in the
// kernel and in the process what these left.

#include "real/cache/client.h"
#include "real/cache/seals.h"
#include "real/cache/server.h"
#include "real/measure/clock.h"
#include "real/measure/micro_list.h"

namespace missive::measure {

namespace {

constexpr std::chrono::seconds kDeadline{30};

class NewCache {
 public:
  explicit NewCache(BenchBed& bed)
      : process_(options(bed)), client_(cache::Client::connect(process_.socket(), kDeadline)) {}
  cache::Client& client() { return client_; }

 private:
  static cache::CacheProcess::Options options(BenchBed& bed) {
    cache::CacheProcess::Options o;
    const auto directory = bed.fresh_directory();
    o.socket = directory / "socket";
    o.store = directory / "store";
    o.server.service.origin_url = bed.origin_url();
    return o;
  }

  cache::CacheProcess process_;
  cache::Client client_;
};

}  // namespace

double seconds_of_hand_over(cache::Client& client, const BenchImage& image) {
  Mapping mapping;
  return seconds_of([&] {
    const UniqueFd fd = client.get_sealed(image.report.name);
    cache::require_sealed(fd.get(), image.memory.bytes().size(), "micro");
    mapping = Mapping::read_only(fd.get(), image.memory.bytes().size(), "micro");
  });
}

void fetch(BenchBed& bed, Sampler& sample) {
  for (const char* name : {"4MiB", "12MiB", "24MiB", "40MiB", "small-blocks"}) {
    const BenchImage& image = bed.image(name);
    NewCache cache(bed);
    bed.evict_caches();
    cache.client().lookup(image.report.name);
    cache::FetchReply reply;
    const double t = seconds_of([&] { reply = cache.client().fetch(image.report.name); });
    sample.add(1, reply.bytes_fetched, reply.blocks_fetched, t);
  }
}

void assemble(BenchBed& bed, Sampler& sample) {
  for (const char* name : {"4MiB", "12MiB", "24MiB", "40MiB"}) {
    const BenchImage& image = bed.image(name);
    NewCache cache(bed);
    cache.client().fetch(image.report.name);
    const double t = seconds_of([&] { cache.client().assemble(image.report.name); });
    sample.add(1, image.memory.bytes().size(), 0, t);
  }
}

// Images that are larger than what the processor keeps for one core: the copy displaces all else
// there, and more of it displaces no more.
void hand_over_assembled(BenchBed& bed, Sampler& sample) {
  for (const char* name : {"12MiB", "40MiB"}) {
    const BenchImage& image = bed.image(name);
    NewCache cache(bed);
    cache.client().fetch(image.report.name);
    cache.client().assemble(image.report.name);
    sample.add(1, 0, 0, seconds_of_hand_over(cache.client(), image));
  }
}

}  // namespace missive::measure
