#include "infer/sentence_modules.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include "core/error.h"
#include "core/strings.h"
#include "io/atomic_file.h"
#include "io/atomic_folder.h"
#include "io/file_status.h"
#include "io/shallow_json.h"
#include "io/weights/tensor_source.h"
#include "io/whole_file.h"

namespace bertha::infer {
namespace {

namespace fs = std::filesystem;
using io::JsonField;
using io::KeyUse;
using Json = nlohmann::json;
template <typename T>
using Row = io::KeyRow<T>;

constexpr int64_t kMostElements = 1 << 20;

/// A row of modules.json.
struct ModuleEntry {
  std::string path;
  std::string kind;  ///< the last part of the class's name: "Pooling"
  std::string type;  ///< the whole name
};

/// The names of a module's input and output that are supported.
void sentence_embedding_only(const JsonField& field) {
  field.only("sentence_embedding");
}

std::string last_part(const std::string& dotted) {
  const size_t dot = dotted.rfind('.');
  return dot == std::string::npos ? dotted : dotted.substr(dot + 1);
}

constexpr std::array<Row<ModuleEntry>, 5> kModuleKeys = {{
    {{"idx", KeyUse::kIgnored, "modules run in the order of the list"}},
    {{"name", KeyUse::kIgnored, ""}},
    {{"path", KeyUse::kObeyed, "a folder within the model's folder"},
     [](const JsonField& field, ModuleEntry& to) {
       to.path = field.text();
       for (const fs::path& part : fs::path(to.path)) {
         if (part == ".." || part == "/") field.refuse("a folder within the model's folder");
       }
     }},
    {{"type", KeyUse::kChecked,
      "Transformer first, then Pooling, then any of Dense, LayerNorm, Normalize and Dropout"},
     [](const JsonField& field, ModuleEntry& to) {
       to.type = field.text();
       to.kind = last_part(to.type);
     }},
    {{"kwargs", KeyUse::kChecked, "an empty list"},
     [](const JsonField& field, ModuleEntry&) {
       if (!field.value().empty()) field.refuse("an empty list");
     }},
}};

/// What sentence_bert_config.json says.
constexpr std::array<Row<SentenceModules>, 10> kTransformerKeys = {{
    {{"max_seq_length", KeyUse::kObeyed, "texts are cut at this number of tokens"},
     [](const JsonField& field, SentenceModules& to) {
       to.max_tokens = field.count(2, kMostElements);
     }},
    {{"do_lower_case", KeyUse::kObeyed, "texts are lower-cased before the tokenizer"},
     [](const JsonField& field, SentenceModules& to) { to.lower_case = field.flag(); }},
    {{"transformer_task", KeyUse::kChecked, "`feature-extraction`"},
     [](const JsonField& field, SentenceModules&) { field.only("feature-extraction"); }},
    {{"modality_config", KeyUse::kChecked, "`text` alone, from `last_hidden_state`"},
     [](const JsonField& field, SentenceModules&) {
       const Json supported = {
           {"text", {{"method", "forward"}, {"method_output_name", "last_hidden_state"}}}};
       field.only(supported);
     }},
    {{"module_output_name", KeyUse::kChecked, "`token_embeddings`"},
     [](const JsonField& field, SentenceModules&) { field.only("token_embeddings"); }},
    {{"processing_kwargs", KeyUse::kChecked, "an empty object"},
     [](const JsonField& field, SentenceModules&) {
       if (!field.value().empty()) field.refuse("an empty object");
     }},
    {{"unpad_inputs", KeyUse::kIgnored, "batches have no padding"}},
    {{"query_length", KeyUse::kIgnored, "a setting of models with several vectors for a text"}},
    {{"document_length", KeyUse::kIgnored, "a setting of models with several vectors for a text"}},
    {{"query_expansion", KeyUse::kChecked, "null"},
     [](const JsonField& field, SentenceModules&) { field.refuse("null"); }},
}};

/// What the config.json of a Pooling module says.
struct PoolingFile {
  std::vector<Pooling> flags{};  ///< of the keys of old files, in order
  std::vector<Pooling> modes{};  ///< of pooling_mode
  bool include_prompt = true;
  int64_t size = 0;
};

Pooling pooling_named(const JsonField& field, const Json& name) {
  std::vector<std::string> known;
  for (const PoolingName& row : pooling_names()) {
    if (name == row.mode) return row.pooling;
    known.emplace_back(row.mode);
  }
  field.refuse(join(known, ", "));
}

template <Pooling kPooling>
void read_flag(const JsonField& field, PoolingFile& to) {
  if (field.flag()) to.flags.push_back(kPooling);
}

void read_modes(const JsonField& field, PoolingFile& to) {
  if (!field.value().is_array()) return to.modes.push_back(pooling_named(field, field.value()));
  for (const Json& mode : field.value()) to.modes.push_back(pooling_named(field, mode));
}

void read_size(const JsonField& field, PoolingFile& to) {
  to.size = field.count(1, kMostElements);
}

constexpr std::array<Row<PoolingFile>, 10> kPoolingKeys = {{
    {{"word_embedding_dimension", KeyUse::kObeyed, "must be the encoder's hidden size"}, read_size},
    {{"embedding_dimension", KeyUse::kObeyed, "must be the encoder's hidden size"}, read_size},
    {{"pooling_mode_cls_token", KeyUse::kObeyed, "several are joined in this table's order"},
     read_flag<Pooling::kCls>},
    {{"pooling_mode_max_tokens", KeyUse::kObeyed, ""}, read_flag<Pooling::kMax>},
    {{"pooling_mode_mean_tokens", KeyUse::kObeyed, ""}, read_flag<Pooling::kMean>},
    {{"pooling_mode_mean_sqrt_len_tokens", KeyUse::kObeyed, ""},
     read_flag<Pooling::kMeanSqrtLength>},
    {{"pooling_mode_weightedmean_tokens", KeyUse::kObeyed, ""}, read_flag<Pooling::kWeightedMean>},
    {{"pooling_mode_lasttoken", KeyUse::kObeyed, ""}, read_flag<Pooling::kLastToken>},
    {{"pooling_mode", KeyUse::kChecked,
      "one or a list of `cls`, `max`, `mean`, `mean_sqrt_len_tokens`, `weightedmean` and "
      "`lasttoken`; it takes precedence over the keys above"},
     read_modes},
    {{"include_prompt", KeyUse::kObeyed, "false: the prompt's tokens are not pooled"},
     [](const JsonField& field, PoolingFile& to) { to.include_prompt = field.flag(); }},
}};

struct DenseFile {
  DenseLayer layer{};
  bool bias = true;
};

void read_activation(const JsonField& field, DenseFile& to) {
  struct Name {
    const char* name;
    DenseActivation activation;
  };
  constexpr std::array<Name, 6> kNames = {{{"Identity", DenseActivation::kIdentity},
                                           {"Tanh", DenseActivation::kTanh},
                                           {"ReLU", DenseActivation::kRelu},
                                           {"GELU", DenseActivation::kGelu},
                                           {"Sigmoid", DenseActivation::kSigmoid},
                                           {"SiLU", DenseActivation::kSilu}}};
  const std::string text = field.text();
  for (const Name& row : kNames) {
    if (text.starts_with("torch.nn.") && last_part(text) == row.name) {
      to.layer.activation = row.activation;
      return;
    }
  }
  field.refuse("Identity, Tanh, ReLU, GELU, Sigmoid and SiLU of torch.nn");
}

constexpr std::array<Row<DenseFile>, 7> kDenseKeys = {{
    {{"in_features", KeyUse::kObeyed, ""},
     [](const JsonField& f, DenseFile& to) { to.layer.inputs = f.count(1, kMostElements); }},
    {{"out_features", KeyUse::kObeyed, ""},
     [](const JsonField& f, DenseFile& to) { to.layer.outputs = f.count(1, kMostElements); }},
    {{"bias", KeyUse::kObeyed, ""}, [](const JsonField& f, DenseFile& to) { to.bias = f.flag(); }},
    {{"activation_function", KeyUse::kChecked,
      "`Identity`, `Tanh`, `ReLU`, `GELU`, `Sigmoid` and `SiLU` of `torch.nn`; without the key "
      "Tanh"},
     read_activation},
    {{"use_residual", KeyUse::kObeyed, ""},
     [](const JsonField& f, DenseFile& to) { to.layer.residual = f.flag(); }},
    {{"module_input_name", KeyUse::kChecked, "`sentence_embedding`"},
     [](const JsonField& f, DenseFile&) { sentence_embedding_only(f); }},
    {{"module_output_name", KeyUse::kChecked, "`sentence_embedding`"},
     [](const JsonField& f, DenseFile&) { sentence_embedding_only(f); }},
}};

constexpr std::array<Row<int64_t>, 1> kLayerNormKeys = {{
    {{"dimension", KeyUse::kObeyed, ""},
     [](const JsonField& f, int64_t& to) { to = f.count(1, kMostElements); }},
}};

struct NoFields {};

constexpr std::array<Row<NoFields>, 2> kNormalizeKeys = {{
    {{"module_input_name", KeyUse::kChecked, "`sentence_embedding`"},
     [](const JsonField& f, NoFields&) { sentence_embedding_only(f); }},
    {{"module_output_name", KeyUse::kChecked, "`sentence_embedding`"},
     [](const JsonField& f, NoFields&) { sentence_embedding_only(f); }},
}};

void read_prompts(const JsonField& field, SentenceModules& to) {
  if (!field.value().is_object()) field.refuse("an object of texts");
  for (const auto& [name, prompt] : field.value().items()) {
    if (prompt.is_null()) continue;
    if (!prompt.is_string()) field.refuse("an object of texts");
    to.prompts[name] = prompt.get<std::string>();
  }
}

constexpr std::array<Row<SentenceModules>, 9> kSentenceKeys = {{
    {{"prompts", KeyUse::kObeyed, "`bertha embed --prompt-name` takes one of these names"},
     read_prompts},
    {{"default_prompt_name", KeyUse::kObeyed, "the prompt of texts for which no other is asked"},
     [](const JsonField& field, SentenceModules& to) { to.default_prompt_name = field.text(); }},
    {{"model_type", KeyUse::kChecked, "`SentenceTransformer`"},
     [](const JsonField& field, SentenceModules&) { field.only("SentenceTransformer"); }},
    {{"truncate_dim", KeyUse::kObeyed, "vectors keep this number of elements"},
     [](const JsonField& field, SentenceModules& to) {
       to.kept_elements = field.count(1, kMostElements);
     }},
    {{"similarity_fn_name", KeyUse::kIgnored, "vectors are not compared"}},
    {{"score_functions", KeyUse::kIgnored, "vectors are not compared"}},
    {{"requirements", KeyUse::kIgnored, "versions of Python packages"}},
    {{"__version__", KeyUse::kIgnored, ""}},
    {{"backend", KeyUse::kIgnored, ""}},
}};

/// Reads one file of a module; one that does not exist has no keys.
template <typename T>
void read_file(const std::string& path, std::span<const Row<T>> table, T& to,
               std::vector<std::string>& notes) {
  if (!io::exists(path)) return;
  const Json json = io::read_json_object(path, "a module of sentence-transformers");
  const std::vector<std::string> unknown = io::read_fields<T>(json, path, table, to);
  if (!unknown.empty()) notes.push_back(io::unknown_keys_note(path, unknown));
}

/// The objects of modules.json: one at least.
Json read_module_list(const std::string& folder) {
  constexpr int64_t kMostBytes = 1 << 19;
  const std::string path = folder + "/modules.json";
  Json json = io::parse_json(io::read_whole_file(path, "the list of modules", kMostBytes));
  const bool sound = json.is_array() && !json.empty() &&
                     std::ranges::all_of(json, [](const Json& one) { return one.is_object(); });
  if (!sound) {
    fail("{}: expected a JSON list of objects, the modules of sentence-transformers", path);
  }
  return json;
}

std::vector<ModuleEntry> read_entries(const std::string& folder, std::vector<std::string>& notes) {
  const std::string path = folder + "/modules.json";
  std::vector<ModuleEntry> entries;
  for (const Json& one : read_module_list(folder)) {
    ModuleEntry& entry = entries.emplace_back();
    const auto unknown = io::read_fields<ModuleEntry>(one, path, kModuleKeys, entry);
    if (!unknown.empty()) notes.push_back(io::unknown_keys_note(path, unknown));
  }
  if (entries[0].kind != "Transformer") {
    fail("{}: the first module is {}, expected Transformer", path, entries[0].type);
  }
  return entries;
}

/// A tensor of a module, which must have this shape.
std::vector<float> tensor_of(const io::TensorSource& weights, const std::string& name,
                             const std::vector<int64_t>& shape) {
  const io::TensorInfo* info = weights.find(name);
  if (info == nullptr || info->shape != shape) {
    fail("{}: {} is {}, expected {}", weights.path(), name,
         info == nullptr ? "missing" : io::shape_string(info->shape), io::shape_string(shape));
  }
  std::vector<float> values(static_cast<size_t>(io::element_count(shape)));
  weights.read_f32(name, values);
  return values;
}

SentenceLayer read_dense(const std::string& folder, std::vector<std::string>& notes) {
  DenseFile file;
  read_file<DenseFile>(folder + "/config.json", kDenseKeys, file, notes);
  DenseLayer& layer = file.layer;
  const auto weights = io::open_weights(folder);
  layer.weight = tensor_of(*weights, "linear.weight", {layer.outputs, layer.inputs});
  if (file.bias) layer.bias = tensor_of(*weights, "linear.bias", {layer.outputs});
  if (layer.residual && layer.inputs != layer.outputs) {
    layer.residual_weight = tensor_of(*weights, "residual.weight", {layer.outputs, layer.inputs});
  }
  return std::move(layer);
}

SentenceLayer read_layer_norm(const std::string& folder, std::vector<std::string>& notes) {
  int64_t size = 0;
  read_file<int64_t>(folder + "/config.json", kLayerNormKeys, size, notes);
  const auto weights = io::open_weights(folder);
  return VectorNorm{.gamma = tensor_of(*weights, "norm.weight", {size}),
                    .beta = tensor_of(*weights, "norm.bias", {size})};
}

void read_pooling(const std::string& folder, SentenceModules& to) {
  PoolingFile file;
  read_file<PoolingFile>(folder + "/config.json", kPoolingKeys, file, to.notes);
  to.pooling = file.modes.empty() ? file.flags : file.modes;
  if (to.pooling.empty()) to.pooling = {Pooling::kMean};
  to.include_prompt = file.include_prompt;
}

/// Adds a module behind the encoder.
void read_module(const std::string& folder, const ModuleEntry& entry, SentenceModules& to) {
  const std::string own = folder + "/" + entry.path;
  if (entry.kind == "Pooling" && to.pooling.empty() && to.layers.empty()) {
    return read_pooling(own, to);
  }
  if (to.pooling.empty() || entry.kind == "Pooling") {
    fail(
        "{}/modules.json: {} stands before or behind the place of Pooling, which comes after "
        "Transformer once",
        folder, entry.type);
  }
  if (entry.kind == "Dense") {
    to.layers.push_back(read_dense(own, to.notes));
  } else if (entry.kind == "LayerNorm") {
    to.layers.push_back(read_layer_norm(own, to.notes));
  } else if (entry.kind == "Normalize") {
    NoFields none;
    read_file<NoFields>(own + "/config.json", kNormalizeKeys, none, to.notes);
    to.layers.emplace_back(UnitLength());
  } else if (entry.kind != "Dropout") {
    fail(
        "{}/modules.json: the module {} is not supported; supported: Pooling, Dense, LayerNorm, "
        "Normalize and Dropout",
        folder, entry.type);
  }
}

/// The names that sentence-transformers tries.
constexpr std::array<const char*, 4> kTransformerFiles = {
    "sentence_bert_config.json", "sentence_roberta_config.json", "sentence_distilbert_config.json",
    "sentence_xlm-roberta_config.json"};

void read_transformer_file(const std::string& folder, SentenceModules& to) {
  for (const char* name : kTransformerFiles) {
    const std::string path = folder + "/" + name;
    if (!io::exists(path)) continue;
    return read_file<SentenceModules>(path, kTransformerKeys, to, to.notes);
  }
}

}  // namespace

std::optional<std::string> sentence_encoder_folder(const std::string& folder) {
  if (!io::exists(folder + "/modules.json")) return std::nullopt;
  std::vector<std::string> notes;
  const std::string path = read_entries(folder, notes)[0].path;
  return path.empty() ? folder : folder + "/" + path;
}

std::optional<SentenceModules> read_sentence_modules(const std::string& folder) {
  if (!io::exists(folder + "/modules.json")) return std::nullopt;
  SentenceModules modules;
  const std::vector<ModuleEntry> entries = read_entries(folder, modules.notes);
  read_transformer_file(folder + "/" + entries[0].path, modules);
  read_file<SentenceModules>(folder + "/config_sentence_transformers.json", kSentenceKeys, modules,
                             modules.notes);
  for (size_t i = 1; i < entries.size(); ++i) read_module(folder, entries[i], modules);
  if (modules.pooling.empty()) {
    fail("{}/modules.json: there is no Pooling module, and texts have no vectors without one",
         folder);
  }
  if (modules.kept_elements) modules.layers.emplace_back(FirstElements{*modules.kept_elements});
  return modules;
}

void copy_sentence_modules(const std::string& from, const std::string& to) {
  std::vector<std::string> notes;
  const std::vector<ModuleEntry> entries = read_entries(from, notes);
  const auto copy = [](const fs::path& source, const fs::path& target) {
    if (!io::exists(source)) return;
    io::make_folder(target.parent_path().string());
    io::write_file(target.string(), io::MappedFile(source.string()).text());
  };
  Json modules = read_module_list(from);
  modules[0]["path"] = "";
  io::write_file(to + "/modules.json", modules.dump(2) + "\n");
  for (const char* name : kTransformerFiles) {
    copy(fs::path(from) / entries[0].path / name, fs::path(to) / name);
  }
  copy(from + "/config_sentence_transformers.json", to + "/config_sentence_transformers.json");
  for (size_t i = 1; i < entries.size(); ++i) {
    if (entries[i].path.empty()) continue;
    for (const char* name : {"config.json", "model.safetensors", "pytorch_model.bin"}) {
      copy(fs::path(from) / entries[i].path / name, fs::path(to) / entries[i].path / name);
    }
  }
}

std::string sentence_keys_sections() {
  const auto section = [](std::string_view file, std::string_view about, auto table) {
    return io::keys_section(file, about, io::keys_of(table));
  };
  return section("modules.json", "The modules of a sentence-transformers model.",
                 std::span<const Row<ModuleEntry>>(kModuleKeys)) +
         section("sentence_bert_config.json",
                 "Beside the encoder's config; also under the names with `roberta`, `distilbert` "
                 "and `xlm-roberta`.",
                 std::span<const Row<SentenceModules>>(kTransformerKeys)) +
         section("config_sentence_transformers.json", "Prompts.",
                 std::span<const Row<SentenceModules>>(kSentenceKeys)) +
         section("N_Pooling/config.json", "", std::span<const Row<PoolingFile>>(kPoolingKeys)) +
         section("N_Dense/config.json", "", std::span<const Row<DenseFile>>(kDenseKeys)) +
         section("N_LayerNorm/config.json", "", std::span<const Row<int64_t>>(kLayerNormKeys)) +
         section("N_Normalize/config.json", "", std::span<const Row<NoFields>>(kNormalizeKeys));
}

}  // namespace bertha::infer
