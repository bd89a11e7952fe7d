#pragma once

// Handles of libhdf5 and the rules under which it is called. For hdf5_shard_writer.cc only: no HDF5
// type leaves it.

#include <hdf5.h>

#include <mutex>
#include <string>
#include <utility>

namespace bertha::dataset {

/// Held around every call of libhdf5, as builds of it without thread support exist; a thread may
/// hold it more than once. Also keeps the library from printing its own error stack, a setting that
/// belongs to the calling thread.
class Hdf5Lock {
 public:
  Hdf5Lock();

 private:
  std::lock_guard<std::recursive_mutex> lock_;
};

/// What the library knows of the last failure on this thread.
std::string hdf5_error_text();

/// An identifier and the call that gives it back.
class Hdf5Handle {
 public:
  using Close = herr_t (*)(hid_t);

  Hdf5Handle() = default;
  Hdf5Handle(hid_t id, Close release) : id_(id), close_(release) {}
  Hdf5Handle(Hdf5Handle&& other) noexcept
      : id_(std::exchange(other.id_, H5I_INVALID_HID)), close_(other.close_) {}
  Hdf5Handle& operator=(Hdf5Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  Hdf5Handle(const Hdf5Handle&) = delete;
  Hdf5Handle& operator=(const Hdf5Handle&) = delete;
  ~Hdf5Handle() { close(); }

  bool valid() const { return id_ >= 0; }
  hid_t id() const { return id_; }
  /// False when the library could not write what it still held.
  bool close() {
    const Hdf5Lock lock;
    return !valid() || close_(std::exchange(id_, H5I_INVALID_HID)) >= 0;
  }

 private:
  hid_t id_ = H5I_INVALID_HID;
  Close close_ = nullptr;
};

}  // namespace bertha::dataset
