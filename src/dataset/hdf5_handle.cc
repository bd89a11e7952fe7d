#include "dataset/hdf5_handle.h"

#include <string_view>

namespace bertha::dataset {
namespace {

std::recursive_mutex& library_mutex() {
  static std::recursive_mutex mutex;
  return mutex;
}

// The frame that failed first is visited first. Its text is kept unless a later one quotes errno.
herr_t take_text(unsigned /*frame*/, const H5E_error2_t* error, void* text_of_caller) {
  auto& text = *static_cast<std::string*>(text_of_caller);
  const std::string_view words = error->desc == nullptr ? "" : error->desc;
  constexpr std::string_view kQuote = "error message = '";
  if (const size_t begin = words.find(kQuote); begin != std::string_view::npos) {
    const std::string_view rest = words.substr(begin + kQuote.size());
    text = rest.substr(0, rest.find('\''));
    return 1;
  }
  if (text.empty()) text = words;
  return 0;
}

}  // namespace

Hdf5Lock::Hdf5Lock() : lock_(library_mutex()) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

std::string hdf5_error_text() {
  std::string text;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_text, &text);
  return text.empty() ? "unknown error" : text;
}

Hdf5Handle hdf5_access() {
  Hdf5Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_libver_bounds(access.id(), H5F_LIBVER_EARLIEST, H5F_LIBVER_LATEST);
  H5Pset_file_locking(access.id(), false, true);
  return access;
}

}  // namespace bertha::dataset
