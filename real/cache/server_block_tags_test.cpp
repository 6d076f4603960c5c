// Recipes and block tags over the protocol: what goes beside messages.

#include <fstream>
#include <thread>

#include "real/cache/little_endian.h"
#include "real/cache/server_testing.h"
#include "real/cache/wire.h"
#include "real/fd.h"

namespace missive::cache {
namespace {

TEST_F(Cache, HandsOutRecipesAndKeepsBlockTags) {
  const TestImage image(40, 1);
  OriginProcess origin({image.publication("demo")});
  const Bytes recipe = image.recipe().serialize();
  const Bytes record(80 + 16 * 40, std::byte{7});
  {
    const CacheProcess cache(options(origin.url()));
    Client c = client();
    EXPECT_THAT(error_of([&] { client().get_recipe(image.name(), 1); }), HasSubstr("fetch first"));
    EXPECT_THAT(error_of([&] { client().put_block_tags(image.name(), record); }),
                HasSubstr("fetch first"))
        << "how long they may be follows from the recipe";
    c.fetch(image.name());
    EXPECT_EQ(c.get_recipe(image.name(), recipe.size()), recipe);
    EXPECT_THAT(error_of([&] { client().get_recipe(image.name(), recipe.size() - 1); }),
                HasSubstr("instead of"));
    EXPECT_EQ(c.get_block_tags(image.name(), record.size()), std::nullopt);
    c.put_block_tags(image.name(), record);
    EXPECT_EQ(c.get_block_tags(image.name(), record.size()), record);
    EXPECT_EQ(c.get_tag(image.name()), std::nullopt) << "a place of their own";
    EXPECT_THAT(error_of([&] { client().get_block_tags(image.name(), 16); }),
                HasSubstr("instead of"));
  }
  const CacheProcess again(options(origin.url()));
  EXPECT_EQ(client().get_block_tags(image.name(), record.size()), record);
}

TEST_F(Cache, MoreBlockTagsThanTheImageCanHaveAreNotTaken) {
  const TestImage image(4, 1);
  OriginProcess origin({image.publication("demo")});
  const CacheProcess cache(options(origin.url()));
  client().fetch(image.name());
  const Bytes much(4096 + 16 * 4 + 1, std::byte{7});
  EXPECT_THROW(client().put_block_tags(image.name(), much), RunError);
  EXPECT_EQ(client().get_block_tags(image.name(), much.size()), std::nullopt);
  EXPECT_EQ(client().lookup(image.name()).recipe_known, true) << "it goes on serving";
}

TEST_F(Cache, BlockTagsOnTheirWayTakeBoundedMemory) {
  const TestImage image(40, 1);
  OriginProcess origin({image.publication("demo")});
  auto o = options(origin.url());
  o.server.max_body_bytes = 1000;
  const CacheProcess cache(o);
  client().fetch(image.name());
  const Bytes record(80 + 16 * 40, std::byte{7});
  {
    // A client that announces a record and then sends half of it.
    const UniqueFd slow = raw_connection();
    const zar::Digest name = image.name();
    Bytes payload(name.bytes.begin(), name.bytes.end());
    append_le(payload, static_cast<std::uint64_t>(record.size()));
    const wire::Deadline deadline(milliseconds(5'000));
    wire::send_message(slow.get(), wire::Message::put_block_tags, payload, -1, deadline, "test");
    wire::send_bytes(slow.get(), std::span(record).first(record.size() / 2), deadline, "test");
    std::string told;
    // It is read by a thread of its own: not at once.
    for (int i = 0; i < 500 && told.empty(); ++i) {
      try {
        client().put_block_tags(image.name(), record);
      } catch (const RunError& e) {
        told = e.what();
      }
    }
    EXPECT_THAT(told, HasSubstr("ask again"));
    EXPECT_TRUE(client().lookup(image.name()).recipe_known) << "others are served";
  }
  for (int i = 0; i < 500; ++i) {
    try {
      client().put_block_tags(image.name(), record);
      break;
    } catch (const RunError&) {
      std::this_thread::sleep_for(milliseconds(10));
    }
  }
  EXPECT_EQ(client().get_block_tags(image.name(), record.size()), record) << "given back";
}

// The bytes are not read from the store before there is room for them on their way.
TEST_F(Cache, ARecipeThatIsRefusedTakesNoMemory) {
  constexpr std::uint64_t kMiB = 1024 * 1024;
  auto o = options();
  o.server.max_body_bytes = kMiB;
  { Store(o.store, {}).put_recipe(zar::Digest{}, Bytes(32 * kMiB, std::byte{7})); }
  const CacheProcess cache(o);
  const auto most_memory = [&] {
    std::ifstream status("/proc/" + std::to_string(cache.pid()) + "/status");
    std::string word;
    while (status >> word && word != "VmHWM:") {
    }
    std::uint64_t kib = 0;
    status >> kib;
    return kib * 1024;
  };
  const std::uint64_t before = most_memory();
  ASSERT_GT(before, 0U);
  for (int i = 0; i < 4; ++i)
    EXPECT_THAT(error_of([&] { client().get_recipe(zar::Digest{}, kMiB); }),
                HasSubstr("ask again"));
  EXPECT_LT(most_memory(), before + 16 * kMiB);
}

}  // namespace
}  // namespace missive::cache
