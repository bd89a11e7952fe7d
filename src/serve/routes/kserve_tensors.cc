#include "serve/routes/kserve_tensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <utility>

#include "core/utf8.h"
#include "serve/routes/json_writer.h"

namespace bertha::serve {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are little-endian");

constexpr int64_t kMostElements = 1 << 20;

/// Number of elements of a shape.
int64_t elements_of(const KserveInput& input, const std::string& path) {
  int64_t elements = 1;
  for (const int64_t extent : input.shape) {
    if (extent < 0 || extent > kMostElements || elements * extent > kMostElements) {
      throw FieldError(path + ".shape",
                       fmt::format("must have at most {} elements", kMostElements));
    }
    elements *= extent;
  }
  return elements;
}

void check_utf8(std::string_view text, const std::string& path) {
  const int64_t bad = find_invalid_utf8(text);
  if (bad >= 0) throw FieldError(path, fmt::format("is not UTF-8 at byte {} of a text", bad));
}

/// Texts with their lengths before them, as `bytes` holds them from start to end.
std::vector<std::string> unpack_texts(std::string_view bytes, int64_t count,
                                      const std::string& path) {
  std::vector<std::string> texts;
  while (!bytes.empty()) {
    uint32_t length = 0;
    if (bytes.size() < sizeof length) throw FieldError(path, "ends inside the length of a text");
    std::memcpy(&length, bytes.data(), sizeof length);
    bytes.remove_prefix(sizeof length);
    if (length > bytes.size()) throw FieldError(path, "has a text longer than the tensor");
    if (std::ssize(texts) == count) throw FieldError(path, "has more texts than its shape");
    check_utf8(bytes.substr(0, length), path);
    texts.emplace_back(bytes.substr(0, length));
    bytes.remove_prefix(length);
  }
  if (std::ssize(texts) != count) {
    throw FieldError(path, fmt::format("has {} texts; its shape {}", texts.size(), count));
  }
  return texts;
}

/// Appends the texts of `data`, which is flat or nested as the shape. The depth of JSON is bounded.
void flatten(Json& data, const FieldPlace& place, std::vector<std::string>& texts) {
  if (!data.is_array()) return texts.push_back(JsonType<std::string>::read(data, place));
  for (Json& element : data) flatten(element, place, texts);
}

std::vector<std::string> texts_of(KserveInput& input, const std::string& path,
                                  std::string_view& rest) {
  if (input.datatype != "BYTES") {
    throw FieldError(path + ".datatype",
                     fmt::format("must be BYTES, got {}", shown_name(input.datatype)));
  }
  const int64_t count = elements_of(input, path);
  if (const auto size = input.parameters.binary_data_size) {
    if (*size > std::ssize(rest)) {
      throw FieldError(path + ".parameters.binary_data_size",
                       fmt::format("is {}, but {} bytes are left", *size, rest.size()));
    }
    const std::string_view bytes = rest.substr(0, static_cast<size_t>(*size));
    rest.remove_prefix(bytes.size());
    return unpack_texts(bytes, count, path);
  }
  if (!input.data.is_array()) throw FieldError(path + ".data", "must be an array");
  std::vector<std::string> texts;
  flatten(input.data, {.path = path + ".data"}, texts);
  if (std::ssize(texts) != count) {
    throw FieldError(path + ".data",
                     fmt::format("has {} elements; the shape {}", texts.size(), count));
  }
  return texts;
}

/// Where the JSON ends.
size_t json_bytes(std::string_view body, std::string_view header_length) {
  if (header_length.empty()) return body.size();
  size_t length = 0;
  const char* end = header_length.data() + header_length.size();
  const auto [stop, fault] = std::from_chars(header_length.data(), end, length);
  if (fault != std::errc() || stop != end || length == 0 || length > body.size()) {
    throw FieldError(
        "Inference-Header-Content-Length",
        fmt::format("must be a number from 1 to {}, the bytes of the body", body.size()));
  }
  return length;
}

void append_length(std::string& bytes, size_t length) {
  const auto short_length = static_cast<uint32_t>(length);
  std::array<char, sizeof short_length> raw;
  std::memcpy(raw.data(), &short_length, raw.size());
  bytes.append(raw.data(), raw.size());
}

template <typename T>
std::string bytes_of(const std::vector<T>& values) {
  std::string bytes;
  if constexpr (std::is_same_v<T, std::string>) {
    for (const std::string& text : values) {
      append_length(bytes, text.size());
      bytes += text;
    }
  } else {
    bytes.resize(values.size() * sizeof(T));
    if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  }
  return bytes;
}

void append_data(JsonWriter& json, const std::vector<float>& values) {
  json.numbers(values);
}

void append_data(JsonWriter& json, const std::vector<int64_t>& values) {
  json.begin_array();
  for (const int64_t value : values) json.whole(value);
  json.end_array();
}

void append_data(JsonWriter& json, const std::vector<std::string>& values) {
  json.begin_array();
  for (const std::string& value : values) json.string(value);
  json.end_array();
}

constexpr std::array<std::string_view, 3> kDatatypes = {"FP32", "INT64", "BYTES"};

/// Writes a tensor; as bytes it goes behind the JSON.
void append_tensor(JsonWriter& json, const KserveTensor& tensor, bool binary, std::string& behind) {
  json.begin_object().key("name").string(tensor.name);
  json.key("datatype").string(kDatatypes[tensor.values.index()]).key("shape").begin_array();
  for (const int64_t extent : tensor.shape) json.whole(extent);
  json.end_array();
  if (binary) {
    const std::string bytes =
        std::visit([](const auto& values) { return bytes_of(values); }, tensor.values);
    json.key("parameters").begin_object().key("binary_data_size");
    json.whole(std::ssize(bytes)).end_object();
    behind += bytes;
  } else {
    json.key("data");
    std::visit([&json](const auto& values) { append_data(json, values); }, tensor.values);
  }
  json.end_object();
}

/// An output and whether it goes as bytes.
struct Wanted {
  const KserveTensor* tensor = nullptr;
  bool binary = false;
};

std::vector<Wanted> wanted_of(const KserveBody& body, const std::vector<KserveTensor>& tensors) {
  std::vector<Wanted> wanted;
  if (body.outputs.empty()) {
    for (const KserveTensor& tensor : tensors) {
      wanted.push_back({&tensor, body.parameters.binary_data_output});
    }
  }
  for (const KserveOutput& output : body.outputs) {
    const auto found = std::ranges::find(tensors, output.name, &KserveTensor::name);
    if (found == tensors.end()) {
      throw FieldError("outputs", fmt::format("asks for `{}`, which the model does not have",
                                              shown_name(output.name)));
    }
    wanted.push_back(
        {&*found, output.parameters.binary_data.value_or(body.parameters.binary_data_output)});
  }
  return wanted;
}

}  // namespace

FieldTable<KserveInputParameters> KserveInputParameters::fields() {
  FieldTable<KserveInputParameters> table;
  table
      .optional("binary_data_size", &KserveInputParameters::binary_data_size,
                "Bytes of the tensor behind the JSON, in place of `data`")
      .within(0, int64_t{1} << 32);
  return table;
}

FieldTable<KserveInput> KserveInput::fields() {
  FieldTable<KserveInput> table;
  table.required("name", &KserveInput::name, "As the model's metadata names it")
      .required("shape", &KserveInput::shape, "Extents")
      .within(0, 16)
      .required("datatype", &KserveInput::datatype, "`BYTES`: texts are the input of all models")
      .optional("parameters", &KserveInput::parameters, "Of the extension for binary tensors")
      .optional("data", &KserveInput::data, "Texts, flat or nested as the shape");
  return table;
}

FieldTable<KserveOutputParameters> KserveOutputParameters::fields() {
  FieldTable<KserveOutputParameters> table;
  table.optional("binary_data", &KserveOutputParameters::binary_data,
                 "Whether the tensor comes as bytes behind the JSON");
  return table;
}

FieldTable<KserveOutput> KserveOutput::fields() {
  FieldTable<KserveOutput> table;
  table.required("name", &KserveOutput::name, "As the model's metadata names it")
      .optional("parameters", &KserveOutput::parameters, "Of the extension for binary tensors");
  return table;
}

FieldTable<KserveParameters> KserveParameters::fields() {
  FieldTable<KserveParameters> table;
  table
      .optional("binary_data_output", &KserveParameters::binary_data_output,
                "Whether tensors come as bytes where their output does not say it")
      .optional("priority", &KserveParameters::priority, "0 and 1: interactive; more: batch")
      .within(0, std::numeric_limits<int64_t>::max())
      .optional("timeout", &KserveParameters::timeout, "Microseconds; 0: as the server has it")
      .within(0, int64_t{86'400'000'000})
      .optional("top_k", &KserveParameters::top_k, "Of fill models: candidates for each mask")
      .within(1, 1000);
  return table;
}

FieldTable<KserveBody> KserveBody::fields() {
  FieldTable<KserveBody> table;
  table.optional("id", &KserveBody::id, "Comes back in the answer")
      .optional("parameters", &KserveBody::parameters, "Of the request")
      .required("inputs", &KserveBody::inputs, "Tensors")
      .within(1, 16)
      .optional("outputs", &KserveBody::outputs, "Which tensors come back; default: all")
      .within(0, 16);
  return table;
}

std::vector<std::string>& KserveRequest::texts(std::string_view name) {
  const auto found = std::ranges::find(tensors, name, &TextTensor::name);
  if (found == tensors.end()) {
    throw FieldError("inputs", fmt::format("has no tensor `{}`, which the model needs", name));
  }
  return found->texts;
}

bool KserveRequest::has(std::string_view name) const {
  return std::ranges::find(tensors, name, &TextTensor::name) != tensors.end();
}

KserveRequest read_kserve_request(std::string_view body, std::string_view header_length) {
  const size_t json_end = json_bytes(body, header_length);
  KserveRequest request{.body = read_body<KserveBody>(body.substr(0, json_end), false)};
  std::string_view rest = body.substr(json_end);
  for (size_t i = 0; i < request.body.inputs.size(); ++i) {
    KserveInput& input = request.body.inputs[i];
    if (request.has(input.name)) {
      throw FieldError("inputs", fmt::format("has `{}` twice", shown_name(input.name)));
    }
    std::vector<std::string> texts = texts_of(input, fmt::format("inputs[{}]", i), rest);
    request.tensors.push_back({.name = input.name, .texts = std::move(texts)});
  }
  if (!rest.empty()) {
    throw FieldError("inputs", fmt::format("leave {} bytes of the body unused", rest.size()));
  }
  return request;
}

HttpResponse kserve_response(const KserveBody& body, std::string_view model,
                             const std::vector<KserveTensor>& tensors) {
  JsonWriter json;
  std::string behind;
  bool any_binary = false;
  json.begin_object().key("model_name").string(model).key("model_version").string("1");
  if (!body.id.empty()) json.key("id").string(body.id);
  json.key("outputs").begin_array();
  for (const Wanted& wanted : wanted_of(body, tensors)) {
    append_tensor(json, *wanted.tensor, wanted.binary, behind);
    any_binary = any_binary || wanted.binary;
  }
  json.end_array().end_object();
  HttpResponse response;
  response.body = json.take();
  if (any_binary) {
    response.headers.set("Inference-Header-Content-Length", std::to_string(response.body.size()));
    response.content_type = "application/octet-stream";
    response.body += behind;
  }
  return response;
}

}  // namespace bertha::serve
