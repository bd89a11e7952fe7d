#pragma once

// Requests and answers of the Open Inference Protocol (KServe v2), with the extension of Triton for
// tensors as bytes behind the JSON: the header Inference-Header-Content-Length says where the JSON
// ends, and the tensors follow in the order in which the JSON names them.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "serve/http/http_message.h"
#include "serve/routes/field_table.h"

namespace bertha::serve {

struct KserveInputParameters {
  std::optional<int64_t> binary_data_size{};  ///< bytes behind the JSON, in place of `data`
  static FieldTable<KserveInputParameters> fields();
};

struct KserveInput {  // NOLINT(bugprone-exception-escape): moving a json does not throw
  std::string name{};
  std::vector<int64_t> shape{};
  std::string datatype{};
  KserveInputParameters parameters{};
  Json data = nullptr;
  static FieldTable<KserveInput> fields();
};

struct KserveOutputParameters {
  std::optional<bool> binary_data{};
  static FieldTable<KserveOutputParameters> fields();
};

struct KserveOutput {
  std::string name{};
  KserveOutputParameters parameters{};
  static FieldTable<KserveOutput> fields();
};

struct KserveParameters {
  bool binary_data_output = false;  ///< for all outputs
  int64_t priority = 0;             ///< 0 and 1: interactive; more: batch
  int64_t timeout = 0;              ///< microseconds; 0: the server's
  int64_t top_k = 5;                ///< of fill models: candidates for each mask
  static FieldTable<KserveParameters> fields();
};

struct KserveBody {
  std::string id{};
  KserveParameters parameters{};
  std::vector<KserveInput> inputs{};
  std::vector<KserveOutput> outputs{};
  static FieldTable<KserveBody> fields();
};

/// The texts of a tensor.
struct TextTensor {
  std::string name{};
  std::vector<std::string> texts{};
};

struct KserveRequest {
  KserveBody body{};
  std::vector<TextTensor> tensors{};  ///< of each input

  /// The texts of the input of this name. Throws FieldError if there is none.
  std::vector<std::string>& texts(std::string_view name);
  bool has(std::string_view name) const;
};

/// `header_length` is the value of Inference-Header-Content-Length, or empty: all is JSON. Throws
/// JsonError and FieldError: for lengths that do not fit each other, for a datatype that is not
/// BYTES, and for texts that are not UTF-8.
KserveRequest read_kserve_request(std::string_view body, std::string_view header_length);

/// An output of a model: its type is FP32, INT64 or BYTES.
struct KserveTensor {
  std::string name{};
  std::vector<int64_t> shape{};
  std::variant<std::vector<float>, std::vector<int64_t>, std::vector<std::string>> values{};
};

/// The outputs that the request asks for, as JSON or as bytes. Throws FieldError for an output that
/// the model does not have.
HttpResponse kserve_response(const KserveBody& body, std::string_view model,
                             const std::vector<KserveTensor>& tensors);

}  // namespace bertha::serve
