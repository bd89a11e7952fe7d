#include "dataset/hdf5_handle.h"

namespace bertha::dataset {
namespace {

std::recursive_mutex& library_mutex() {
  static std::recursive_mutex mutex;
  return mutex;
}

/// The frame that failed first is visited first, and ends the walk.
herr_t take_text(unsigned /*frame*/, const H5E_error2_t* error, void* text_of_caller) {
  if (error->desc != nullptr) *static_cast<std::string*>(text_of_caller) = error->desc;
  return 1;
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

}  // namespace bertha::dataset
