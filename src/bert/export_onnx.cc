// BERT as an ONNX graph. N sequences of S tokens each, padded as attention_mask says; H hidden, A
// heads, D head size. Matrices are stored as MatMul takes them, [inputs, outputs].

#include <cmath>
#include <limits>
#include <numbers>

#include "bert/export.h"
#include "core/error.h"
#include "io/weights/onnx_writer.h"

namespace bertha::bert {
namespace {

using Attributes = std::vector<io::OnnxGraph::Attribute>;
using Extents = std::vector<io::OnnxGraph::Extent>;
using std::string;

constexpr int64_t kOpset = 17;  // the first with LayerNormalization

class OnnxBuilder {
 public:
  explicit OnnxBuilder(const ExportModel& model)
      : model_(model),
        graph_(architecture(model.model, model.config)),
        at_(model.table->indices()) {}

  void build() {
    ids_ = input("input_ids");
    mask_ = additive_mask(input("attention_mask"));
    if (!(*model_.table)[at_.segment].absent) segments_ = input("token_type_ids");
    string x = embeddings();
    for (const LayerIndices& layer : at_.layers) x = this->layer(layer, x);
    heads(x);
  }
  void save(const string& path) const { graph_.save(path, kOpset); }

 private:
  bool has_choices() const { return model_.model == ModelClass::kMultipleChoice; }

  /// An input [N,S]. That of a model of several choices, [N,C,S], becomes [NC,S].
  string input(const char* name) {
    if (!has_choices()) return graph_.input(name, DType::kI64, {"batch", "sequence"});
    given_ = graph_.input(name, DType::kI64, {"batch", "choices", "sequence"});
    const string length =
        graph_.node("Shape", {given_}, {{"start", int64_t{2}}, {"end", int64_t{3}}});
    const string shape =
        graph_.node("Concat", {graph_.integers({-1}), length}, {{"axis", int64_t{0}}});
    return graph_.node("Reshape", {given_, shape});
  }

  /// A parameter as an f32 value of the graph.
  string weight(int index) {
    const string& name = (*model_.table)[index].name;
    const std::vector<int64_t> shape = detail::export_shape(model_, index);
    graph_.weight(name, model_.dtype, shape, detail::export_bytes(model_, index, shape));
    return widened(name);
  }
  /// A matrix of the table, [outputs, inputs], transposed.
  string matrix(int index) {
    const Parameter& parameter = (*model_.table)[index];
    const std::vector<int64_t> shape = {parameter.shape[1], parameter.shape[0]};
    graph_.weight(parameter.name, model_.dtype, shape,
                  detail::export_bytes(model_, index, shape, detail::Order::kTransposed));
    return widened(parameter.name);
  }
  string widened(const string& name) {
    if (model_.dtype == DType::kF32) return name;
    return graph_.node("Cast", {name}, {{"to", io::onnx_type(DType::kF32)}}, name + ".f32");
  }

  string add(const string& a, const string& b) { return graph_.node("Add", {a, b}); }
  string multiply(const string& a, const string& b) { return graph_.node("Mul", {a, b}); }
  string linear(const string& x, int matrix_index, int bias_index) {
    return add(graph_.node("MatMul", {x, matrix(matrix_index)}), weight(bias_index));
  }
  string layer_norm(const string& x, int gamma, int beta) {
    const auto epsilon = static_cast<float>(model_.config.layer_norm_eps);
    return graph_.node("LayerNormalization", {x, weight(gamma), weight(beta)},
                       {{"axis", int64_t{-1}}, {"epsilon", epsilon}});
  }
  string activation(ops::Activation function, const string& x) {
    switch (function) {
      case ops::Activation::kGelu:
        return gelu(x);
      case ops::Activation::kTanh:
        return graph_.node("Tanh", {x});
      case ops::Activation::kGeluTanh:
        return gelu_tanh(x);
      case ops::Activation::kRelu:
        return graph_.node("Relu", {x});
      case ops::Activation::kSilu:
        return multiply(x, graph_.node("Sigmoid", {x}));
      case ops::Activation::kNone:
        break;
    }
    return x;
  }
  string gelu_tanh(const string& x) {
    const auto root = static_cast<float>(std::sqrt(2 / std::numbers::pi));
    const string cube = multiply(multiply(x, x), multiply(x, graph_.scalar(0.044715F)));
    const string inner = multiply(graph_.scalar(root), add(x, cube));
    const string factor = add(graph_.node("Tanh", {inner}), graph_.scalar(1));
    return multiply(multiply(x, factor), graph_.scalar(0.5F));
  }
  string gelu(const string& x) {
    const string scaled =
        graph_.node("Div", {x, graph_.scalar(static_cast<float>(std::numbers::sqrt2))});
    const string factor = add(graph_.node("Erf", {scaled}), graph_.scalar(1));
    return multiply(multiply(x, factor), graph_.scalar(0.5F));
  }

  /// 0 for a token, the lowest float for padding; [N,1,1,S], to be added to the scores.
  string additive_mask(const string& mask) {
    const string real = graph_.node("Cast", {mask}, {{"to", io::onnx_type(DType::kF32)}});
    const string padding = graph_.node("Sub", {graph_.scalar(1), real});
    const string low = multiply(padding, graph_.scalar(std::numeric_limits<float>::lowest()));
    return graph_.node("Unsqueeze", {low, graph_.integers({1, 2})});
  }

  string embeddings() {
    word_ = weight(at_.word);
    const string words = graph_.node("Gather", {word_, ids_});
    const string length =
        graph_.node("Shape", {ids_}, {{"start", int64_t{1}}, {"end", int64_t{2}}});
    const int64_t first = model_.config.position_offset;
    const string end = first == 0 ? length : add(length, graph_.integers({first}));
    const string places = graph_.node(
        "Slice", {weight(at_.position), graph_.integers({first}), end, graph_.integers({0})});
    string sum = words;
    if (!segments_.empty()) {
      sum = add(words, graph_.node("Gather", {weight(at_.segment), segments_}));
    }
    return layer_norm(add(sum, places), at_.embedding_gamma, at_.embedding_beta);
  }

  /// [N,S,H] as [N,A,S,D], or in the order `permutation` gives.
  string split_heads(const string& x, std::vector<int64_t> permutation) {
    const string shape =
        graph_.integers({0, 0, model_.config.num_attention_heads, model_.config.head_size()});
    return graph_.node("Transpose", {graph_.node("Reshape", {x, shape})},
                       {{"perm", std::move(permutation)}});
  }

  string attention(const LayerIndices& i, const string& x) {
    const string query = split_heads(linear(x, i.query_weight, i.query_bias), {0, 2, 1, 3});
    const string key = split_heads(linear(x, i.key_weight, i.key_bias), {0, 2, 3, 1});
    const string value = split_heads(linear(x, i.value_weight, i.value_bias), {0, 2, 1, 3});
    const auto scale =
        static_cast<float>(1 / std::sqrt(static_cast<double>(model_.config.head_size())));
    const string scores = multiply(graph_.node("MatMul", {query, key}), graph_.scalar(scale));
    const string weights = graph_.node("Softmax", {add(scores, mask_)}, {{"axis", int64_t{-1}}});
    const string mixed = graph_.node("MatMul", {weights, value});
    const string rows =
        graph_.node("Transpose", {mixed}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}});
    return graph_.node("Reshape", {rows, graph_.integers({0, 0, model_.config.hidden_size})});
  }

  string layer(const LayerIndices& i, const string& x) {
    const string attended = linear(attention(i, x), i.output_weight, i.output_bias);
    const string h = layer_norm(add(attended, x), i.attention_gamma, i.attention_beta);
    const string wide =
        activation(model_.config.hidden_act, linear(h, i.intermediate_weight, i.intermediate_bias));
    return layer_norm(add(linear(wide, i.down_weight, i.down_bias), h), i.gamma, i.beta);
  }

  /// The activation of a linear layer over the first token, [N,H].
  string pooled(const string& x) {
    const string first = graph_.node("Gather", {x, graph_.integer(0)}, {{"axis", int64_t{1}}});
    return activation(model_.config.pooler_act(),
                      linear(first, at_.pooler_weight, at_.pooler_bias));
  }
  string classified(const string& x) {
    return linear(x, at_.classifier_weight, at_.classifier_bias);
  }

  void output(const string& value, const string& name, const Extents& shape) {
    graph_.node("Identity", {value}, {}, name);
    graph_.output(name, DType::kF32, shape);
  }

  void heads(const string& x) {
    switch (model_.model) {
      case ModelClass::kEncoder:
        output(x, "last_hidden_state", {"batch", "sequence", model_.config.hidden_size});
        if (at_.pooler_weight >= 0) {
          output(pooled(x), "pooler_output", {"batch", model_.config.hidden_size});
        }
        return;
      case ModelClass::kPretraining:
        language_model(x);
        return next_sentence(x, "seq_relationship_logits");
      case ModelClass::kMaskedLanguageModel:
        return language_model(x);
      case ModelClass::kNextSentence:
        return next_sentence(x, "logits");
      case ModelClass::kQuestionAnswering:
        return question_answering(x);
      case ModelClass::kClassification:
        return output(classified(pooled(x)), "logits", {"batch", classes()});
      case ModelClass::kTokenClassification:
        return output(classified(x), "logits", {"batch", "sequence", classes()});
      case ModelClass::kMultipleChoice:
        return multiple_choice(x);
    }
  }

  int64_t classes() const { return (*model_.table)[at_.classifier_weight].shape[0]; }

  void next_sentence(const string& x, const string& name) {
    output(linear(pooled(x), at_.nsp_weight, at_.nsp_bias), name, {"batch", int64_t{2}});
  }

  /// The logits of texts [NC,1] as [N,C].
  void multiple_choice(const string& x) {
    const string extents =
        graph_.node("Shape", {given_}, {{"start", int64_t{0}}, {"end", int64_t{2}}});
    output(graph_.node("Reshape", {classified(pooled(x)), extents}), "logits",
           {"batch", "choices"});
  }

  void language_model(const string& x) {
    const string z = activation(model_.config.transform_act(),
                                linear(x, at_.transform_weight, at_.transform_bias));
    const string y = layer_norm(z, at_.transform_gamma, at_.transform_beta);
    const string rows = at_.decoder == at_.word ? word_ : weight(at_.decoder);
    const string decoder = graph_.node("Transpose", {rows}, {{"perm", std::vector<int64_t>{1, 0}}});
    output(add(graph_.node("MatMul", {y, decoder}), weight(at_.mlm_bias)), "logits",
           {"batch", "sequence", model_.config.vocab_size});
  }

  void question_answering(const string& x) {
    const string both = linear(x, at_.qa_weight, at_.qa_bias);
    int64_t index = 0;
    for (const char* name : {"start_logits", "end_logits"}) {
      const string one =
          graph_.node("Gather", {both, graph_.integer(index++)}, {{"axis", int64_t{2}}});
      output(one, name, {"batch", "sequence"});
    }
  }

  const ExportModel& model_;
  io::OnnxGraph graph_;
  const ModelIndices& at_;
  string ids_, segments_, mask_, word_;
  string given_;  ///< an input with choices, before it was reshaped
};

}  // namespace

void write_onnx(const string& path, const ExportModel& model) {
  OnnxBuilder builder(model);
  builder.build();
  builder.save(path);
}

}  // namespace bertha::bert
