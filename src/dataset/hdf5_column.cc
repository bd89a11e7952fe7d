#include "dataset/hdf5_column.h"

#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

#include "core/error.h"
#include "io/atomic_file.h"
#include "io/byte_order.h"

namespace bertha::dataset {
namespace {

static_assert(std::endian::native == std::endian::little, "chunks are little-endian");

constexpr int64_t kCacheBytes = int64_t{1} << 28;  // most a dataset's chunk cache may take
constexpr int64_t kMaxDeflateRatio = 1032;         // of the deflate format
constexpr int64_t kSlackBytes = int64_t{1} << 20;  // a last, partly used chunk

/// libhdf5 (1.10.8) reads through a null pointer where the root group has no names. Its first
/// format, which knows no sums of metadata, says where they are ("HDF5 File Format
/// Specification" 3.0, III.A.1 and IV.A.1.a): there they must be.
void check_root_group(const std::string& path) {
  constexpr std::string_view kFirstFormat("\x89HDF\r\n\x1a\n\0", 9);
  constexpr size_t kHeaderPlace = 64;
  constexpr uint16_t kSymbolTable = 0x11;
  const io::MappedFile file(path);
  const auto number = [](std::span<const std::byte> bytes, size_t at) {
    return io::load<uint64_t>(bytes.data() + at);
  };
  if (!file.text().starts_with(kFirstFormat)) return;
  const auto head = file.slice(0, kHeaderPlace + 8, "the superblock");
  const auto header = file.slice(number(head, kHeaderPlace), 40, "the root group");
  if (io::load<uint16_t>(header.data() + 16) != kSymbolTable) return;
  file.slice(number(header, 24), 24, "the root group's tree");
  const auto heap = file.slice(number(header, 32), 32, "the root group's names");
  file.slice(number(heap, 24), number(heap, 8), "the root group's names");
}

}  // namespace

ShardSource::ShardSource(std::string path) : path_(std::move(path)) {
  std::error_code error;
  file_bytes_ = static_cast<int64_t>(std::filesystem::file_size(path_, error));
  if (error) fail("{}: cannot read: {}", path_, error.message());
  const Hdf5Lock lock;
  const Hdf5Handle access = hdf5_access();
  file_ = Hdf5Handle(H5Fopen(path_.c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose);
  if (!file_.valid()) fail("{}: not a whole HDF5 file ({})", path_, hdf5_error_text());
  check_root_group(path_);
}

bool ShardSource::has(const char* name) const {
  const Hdf5Lock lock;
  H5L_info_t info{};
  return H5Lexists(id(), name, H5P_DEFAULT) > 0 &&
         H5Lget_info(id(), name, &info, H5P_DEFAULT) >= 0 && info.type == H5L_TYPE_HARD;
}

Column::Column(const ShardSource& source, const char* name, int rank)
    : source_(source), name_(name), inflater_(nullptr, libdeflate_free_decompressor) {
  const Hdf5Lock lock;
  if (!source.has(name)) fail("{}: dataset '{}' is missing", source.path(), name);
  dataset_ = open(H5P_DEFAULT);
  check_type();
  read_extent(rank);
  check_storage();
}

void Column::read(int64_t first, int64_t count, std::vector<int32_t>& values) {
  values.resize(static_cast<size_t>(count * width_));
  if (inflater_ && inflate_rows(first, count, values.data())) return;
  read_rows(first, count, values.data());
}

void Column::read_rows(int64_t first, int64_t count, int32_t* values) {
  const Hdf5Lock lock;
  const std::array<hsize_t, 2> start = {static_cast<hsize_t>(first), 0};
  const std::array<hsize_t, 2> extent = {static_cast<hsize_t>(count), static_cast<hsize_t>(width_)};
  const Hdf5Handle space(H5Dget_space(dataset_.id()), H5Sclose);
  const Hdf5Handle memory(H5Screate_simple(rank_, extent.data(), nullptr), H5Sclose);
  const bool done =
      H5Sselect_hyperslab(space.id(), H5S_SELECT_SET, start.data(), nullptr, extent.data(),
                          nullptr) >= 0 &&
      H5Dread(dataset_.id(), H5T_NATIVE_INT32, memory.id(), space.id(), H5P_DEFAULT, values) >= 0;
  if (!done) {
    fail("{}: {}: cannot read rows {} to {}: {}", source_.path(), name_, first, first + count - 1,
         hdf5_error_text());
  }
}

/// False when a chunk is not what its dataset says.
bool Column::inflate_rows(int64_t first, int64_t count, int32_t* values) {
  for (int64_t row = first; row < first + count;) {
    const int64_t number = row / chunk_rows_;
    if (number != chunk_number_ && !load_chunk(number)) return false;
    const int64_t rows = std::min((number + 1) * chunk_rows_, first + count) - row;
    const auto elements = static_cast<size_t>(rows * width_);
    const std::byte* from = chunk_.data() + (row - number * chunk_rows_) * width_ * element_bytes_;
    if (element_bytes_ == 1) {
      const auto* bytes = reinterpret_cast<const int8_t*>(from);
      std::copy(bytes, bytes + elements, values);
    } else {
      std::memcpy(values, from, elements * sizeof(int32_t));
    }
    values += elements;
    row += rows;
  }
  return true;
}

bool Column::load_chunk(int64_t number) {
  chunk_number_ = -1;
  {
    const Hdf5Lock lock;
    const std::array<hsize_t, 2> offset = {static_cast<hsize_t>(number * chunk_rows_), 0};
    hsize_t stored_bytes = 0;
    if (H5Dget_chunk_storage_size(dataset_.id(), offset.data(), &stored_bytes) < 0) return false;
    if (stored_bytes == 0 || stored_bytes > static_cast<hsize_t>(source_.file_bytes()))
      return false;
    stored_.resize(stored_bytes);
    uint32_t filters_left_out = 0;
    if (H5Dread_chunk(dataset_.id(), H5P_DEFAULT, offset.data(), &filters_left_out,
                      stored_.data()) < 0 ||
        filters_left_out != 0) {
      return false;
    }
  }
  chunk_.resize(static_cast<size_t>(chunk_rows_ * width_ * element_bytes_));
  if (libdeflate_zlib_decompress(inflater_.get(), stored_.data(), stored_.size(), chunk_.data(),
                                 chunk_.size(), nullptr) != LIBDEFLATE_SUCCESS) {
    return false;
  }
  chunk_number_ = number;
  return true;
}

Hdf5Handle Column::open(hid_t access) const {
  Hdf5Handle dataset(H5Dopen2(source_.id(), name_, access), H5Dclose);
  if (!dataset.valid()) {
    fail("{}: '{}' is not a dataset ({})", source_.path(), name_, hdf5_error_text());
  }
  return dataset;
}

void Column::check_type() const {
  const Hdf5Handle type(H5Dget_type(dataset_.id()), H5Tclose);
  if (H5Tget_class(type.id()) != H5T_INTEGER || H5Tget_size(type.id()) > sizeof(int64_t)) {
    fail("{}: {}: expected integers", source_.path(), name_);
  }
}

void Column::read_extent(int rank) {
  const Hdf5Handle space(H5Dget_space(dataset_.id()), H5Sclose);
  rank_ = H5Sget_simple_extent_ndims(space.id());
  if (rank_ != rank) {
    fail("{}: {}: has {} dimensions, expected {}", source_.path(), name_, rank_, rank);
  }
  std::array<hsize_t, 2> extent = {0, 1};
  H5Sget_simple_extent_dims(space.id(), extent.data(), nullptr);
  const hsize_t most = hsize_t{1} << 31;
  if (extent[0] == 0 || extent[0] > most || extent[1] == 0 || extent[1] > most) {
    fail("{}: {}: extent {} by {}, expected 1 to 2^31", source_.path(), name_, extent[0],
         extent[1]);
  }
  rows_ = static_cast<int64_t>(extent[0]);
  width_ = static_cast<int64_t>(extent[1]);
}

/// No more than the file can hold, in chunks that fit in memory; values lie in this file.
void Column::check_storage() {
  const Hdf5Handle creation(H5Dget_create_plist(dataset_.id()), H5Pclose);
  const H5D_layout_t layout = H5Pget_layout(creation.id());
  const bool own = layout == H5D_COMPACT || layout == H5D_CHUNKED ||
                   (layout == H5D_CONTIGUOUS && H5Pget_external_count(creation.id()) == 0);
  if (!own) fail("{}: {}: values lie outside this file", source_.path(), name_);
  const auto bytes =
      static_cast<int64_t>(H5Tget_size(Hdf5Handle(H5Dget_type(dataset_.id()), H5Tclose).id()));
  const int64_t most_bytes = source_.file_bytes() * kMaxDeflateRatio + kSlackBytes;
  if (rows_ > most_bytes / width_ / bytes) {
    fail("{}: {}: {} rows of {}, more than a file of {} bytes holds", source_.path(), name_, rows_,
         width_, source_.file_bytes());
  }
  if (layout != H5D_CHUNKED) return;
  std::array<hsize_t, 2> chunk = {1, 1};
  H5Pget_chunk(creation.id(), rank_, chunk.data());
  const auto chunk_bytes = static_cast<int64_t>(chunk[0] * chunk[1]) * bytes;
  if (chunk_bytes > most_bytes) {
    fail("{}: {}: chunks of {} bytes, more than a file of {} bytes holds", source_.path(), name_,
         chunk_bytes, source_.file_bytes());
  }
  enlarge_cache(chunk_bytes * ((width_ - 1) / static_cast<int64_t>(chunk[1]) + 1));
  const bool whole_rows = rank_ == 1 || static_cast<int64_t>(chunk[1]) == width_;
  if (whole_rows && chunk_bytes <= kCacheBytes) {
    prepare_inflating(creation.id(), static_cast<int64_t>(chunk[0]), bytes);
  }
}

void Column::prepare_inflating(hid_t creation, int64_t chunk_rows, int64_t element_bytes) {
  unsigned flags = 0;
  size_t parameters = 0;
  const bool deflated =
      H5Pget_nfilters(creation) == 1 && H5Pget_filter2(creation, 0, &flags, &parameters, nullptr, 0,
                                                       nullptr, nullptr) == H5Z_FILTER_DEFLATE;
  const Hdf5Handle type(H5Dget_type(dataset_.id()), H5Tclose);
  const hid_t plain = element_bytes == 1 ? H5T_STD_I8LE : H5T_STD_I32LE;
  if (!deflated || H5Tequal(type.id(), plain) <= 0) return;
  chunk_rows_ = chunk_rows;
  element_bytes_ = element_bytes;
  inflater_.reset(libdeflate_alloc_decompressor());
}

/// Room for the chunks across a row, so that none is inflated twice while rows are read in turn.
void Column::enlarge_cache(int64_t bytes) {
  const Hdf5Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
  const auto cache_bytes = static_cast<size_t>(std::clamp(bytes, int64_t{1} << 20, kCacheBytes));
  H5Pset_chunk_cache(access.id(), 12421, cache_bytes, 1.0);
  dataset_ = Hdf5Handle();
  dataset_ = open(access.id());
}

}  // namespace bertha::dataset
