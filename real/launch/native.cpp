#include "real/launch/native.h"

#include "models/error.h"
#include "real/launch/init_control.h"
#include "real/launch/mounts.h"

namespace missive::launch {

struct NativeTwin::Impl {
  InitProcess process;
  ~Impl() { dismiss_init(process); }
};

NativeTwin::NativeTwin(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
NativeTwin::NativeTwin(NativeTwin&&) noexcept = default;
NativeTwin& NativeTwin::operator=(NativeTwin&&) noexcept = default;
NativeTwin::~NativeTwin() = default;

NativeTwin NativeTwin::prepare(const std::filesystem::path& tree,
                               const std::filesystem::path& x11_socket) {
  const std::string who = "cannot prepare the native twin";
  if (const std::string why = picoprocess_unavailable(); !why.empty()) {
    throw NotAvailable(who + ": " + why);
  }
  const UniqueFd root = clone_mount(tree);
  make_read_only(root);
  UniqueFd display;
  if (!x11_socket.empty()) display = clone_mount(x11_socket);
  auto impl = std::make_unique<Impl>();
  impl->process =
      make_init({Confinement::none, root.get(), display.get(), x11_socket.filename()}, 0, who);
  await_prepared(impl->process);
  return NativeTwin(std::move(impl));
}

void NativeTwin::start(const Environment& environment, int output, int log) {
  start_application(impl_->process, nullptr, environment, output, log);
}

int NativeTwin::pidfd() const { return impl_->process.pidfd.get(); }
bool NativeTwin::running() { return impl_ != nullptr && alive(impl_->process); }

}  // namespace missive::launch
