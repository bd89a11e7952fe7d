#include <filesystem>

#include "core/error.h"
#include "io/weights/torch_file.h"

namespace bertha::io {
namespace {

const char* storage_class(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "torch.FloatStorage";
    case DType::kBF16:
      return "torch.BFloat16Storage";
    case DType::kF16:
      return "torch.HalfStorage";
    case DType::kF64:
      return "torch.DoubleStorage";
    case DType::kI32:
      return "torch.IntStorage";
    case DType::kI64:
      return "torch.LongStorage";
    case DType::kI8:
      return "torch.CharStorage";
    case DType::kU8:
      return "torch.ByteStorage";
    case DType::kBool:
      return "torch.BoolStorage";
  }
  BERTHA_CHECK(false, "dtype {} has no storage", static_cast<int>(dtype));
}

/// The folder inside the archive. Like torch.save, uses the file's name without its extension.
std::string archive_name(const std::string& path) {
  const std::string stem = std::filesystem::path(path).stem().string();
  return stem.empty() || stem == ".." || stem.find('\\') != stem.npos ? "archive" : stem;
}

}  // namespace

const PickleValue& TorchWriter::tensor(DType dtype, std::span<const int64_t> shape,
                                       std::span<const std::byte> data) {
  BERTHA_CHECK(static_cast<int64_t>(data.size()) == element_count(shape) * size_of(dtype),
               "{} bytes for a tensor of {}", data.size(), shape_string(shape));
  return tensor(dtype, shape, [data](const ByteSink& sink) { sink(data); });
}

// As torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks).
const PickleValue& TorchWriter::tensor(DType dtype, std::span<const int64_t> shape,
                                       ByteSource source) {
  const int64_t count = element_count(shape);
  BERTHA_CHECK(count >= 0, "a tensor of {}", shape_string(shape));
  PickleValue& id = tree_.tuple();
  id.append(tree_.string("storage"));
  id.append(tree_.global(storage_class(dtype)));
  id.append(tree_.string(std::to_string(storages_.size())));
  id.append(tree_.string("cpu"));
  id.append(tree_.integer(count));
  PickleValue& extents = tree_.tuple();
  for (const int64_t extent : shape) extents.append(tree_.integer(extent));
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;)
    strides[i - 1] = strides[i] * std::max<int64_t>(shape[i], 1);
  PickleValue& steps = tree_.tuple();
  for (const int64_t stride : strides) steps.append(tree_.integer(stride));
  PickleValue& arguments = tree_.tuple();
  arguments.append(tree_.persistent(id));
  arguments.append(tree_.integer(0));
  arguments.append(extents);
  arguments.append(steps);
  arguments.append(tree_.boolean(false));
  arguments.append(tree_.ordered_dict());
  storages_.push_back({count * size_of(dtype), std::move(source)});
  return tree_.object("torch._utils._rebuild_tensor_v2", arguments);
}

void TorchWriter::save(const std::string& path, const PickleValue& root) const {
  AtomicFile file(path);
  ZipWriter zip(file);
  const std::string folder = archive_name(path);
  zip.add(folder + "/data.pkl", write_pickle(root));
  zip.add(folder + "/byteorder", "little");
  for (size_t i = 0; i < storages_.size(); ++i) {
    zip.begin(fmt::format("{}/data/{}", folder, i), storages_[i].size_bytes);
    storages_[i].source([&](std::span<const std::byte> data) { zip.write(data); });
    zip.end();
  }
  zip.add(folder + "/version", "3\n");
  zip.finish();
  file.commit();
}

}  // namespace bertha::io
