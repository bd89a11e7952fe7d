#include "cli/k8s_lint.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <regex>
#include <set>

#include "cli/k8s_schema.h"
#include "core/error.h"
#include "core/strings.h"

namespace bertha::cli {
namespace {

// A file of aliases to aliases is small and has no end.
constexpr int kMostNodes = 20000;

std::optional<int64_t> to_integer(const std::string& text) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, bad] = std::from_chars(text.data(), end, value);
  if (bad != std::errc() || rest != end) return std::nullopt;
  return value;
}

/// Kubernetes' quantities: a number with an optional suffix.
std::optional<double> to_quantity(const std::string& text) {
  static const std::regex form(
      R"(([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?)");
  std::smatch match;
  if (!std::regex_match(text, match, form)) return std::nullopt;
  const std::string suffix = match[2];
  double scale = suffix == "m" ? 1e-3 : 1;
  if (const size_t power = std::string("kMGTPE").find(suffix.substr(0, 1));
      suffix.size() == 1 && power != std::string::npos) {
    scale = std::pow(1e3, static_cast<double>(power + 1));
  } else if (suffix.size() == 2) {
    const size_t binary = std::string("KMGTPE").find(suffix[0]);
    scale = std::pow(1024.0, static_cast<double>(binary + 1));
  }
  return std::stod(match[1]) * scale;
}

/// A label of a host's name, RFC 1123; RFC 1035 wants a letter first.
bool is_label(const std::string& text, bool letter_first) {
  static const std::regex any("[a-z0-9]([-a-z0-9]*[a-z0-9])?");
  static const std::regex letter("[a-z]([-a-z0-9]*[a-z0-9])?");
  return text.size() <= 63 && std::regex_match(text, letter_first ? letter : any);
}

bool is_subdomain(const std::string& text) {
  static const std::regex form("[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*");
  return text.size() <= 253 && std::regex_match(text, form);
}

std::string text_of(const YAML::Node& node) {
  return node.IsDefined() && node.IsScalar() ? node.Scalar() : "";
}

/// yaml-cpp tags a quoted scalar "!": a text whatever it looks like.
bool is_quoted(const YAML::Node& node) {
  return node.Tag() == "!";
}

bool is_boolean(const std::string& text) {
  static const std::set<std::string> words = {"true", "True", "TRUE", "false", "False", "FALSE"};
  return words.contains(text);
}

class Linter {
 public:
  std::vector<Finding> take() { return std::move(findings_); }
  void document(const YAML::Node& root);

 private:
  using Kind = FieldType::Kind;

  template <typename... Args>
  void report(const YAML::Node& node, fmt::format_string<Args...> format, Args&&... args) {
    const int line = node.IsDefined() ? node.Mark().line + 1 : 0;
    findings_.push_back({line, fmt::format(format, std::forward<Args>(args)...)});
  }

  // Fields and types.
  void object(const YAML::Node& node, const std::string& type, const std::string& path);
  void value(const YAML::Node& node, const FieldType& type, const std::string& path);
  void list(const YAML::Node& node, const FieldType& type, const std::string& path);
  void map(const YAML::Node& node, const FieldType& type, const std::string& path);
  void scalar(const YAML::Node& node, const FieldType& type, const std::string& path);

  // Rules.
  void job(const YAML::Node& root);
  void replica(const YAML::Node& node, const std::string& path, bool launcher);
  void pod(const YAML::Node& spec, const std::string& path, bool in_job);
  void volumes(const YAML::Node& spec, const std::string& path, std::set<std::string>& names);
  void container(const YAML::Node& node, const std::string& path,
                 const std::set<std::string>& volume_names);
  void mounts(const YAML::Node& node, const std::string& path,
              const std::set<std::string>& volume_names);
  void resources(const YAML::Node& node, const std::string& path);
  void probe(const YAML::Node& node, const std::string& path);
  void ranks(const YAML::Node& spec);

  std::vector<Finding> findings_;
  int nodes_ = 0;
};

// ---- fields and types -------------------------------------------------------------------------

void Linter::object(const YAML::Node& node, const std::string& type, const std::string& path) {
  const ObjectType& fields = manifest_schema().at(type);
  if (!node.IsMap()) {
    report(node, "{}: expected fields, a {}", path, type);
    return;
  }
  std::set<std::string> seen;
  for (const auto& entry : node) {
    const std::string name = text_of(entry.first);
    const std::string place = fmt::format("{}.{}", path, name);
    if (!seen.insert(name).second) report(entry.first, "{}: given twice", place);
    const auto found = fields.find(name);
    if (found == fields.end()) {
      report(entry.first, "{}: {} has no such field", place, type);
    } else {
      value(entry.second, found->second.type, place);
    }
  }
  for (const auto& [name, field] : fields) {
    if (field.required && !seen.contains(name)) report(node, "{}.{}: is missing", path, name);
  }
}

void Linter::value(const YAML::Node& node, const FieldType& type, const std::string& path) {
  if (++nodes_ > kMostNodes) fail("more than {} values: no manifest", kMostNodes);
  switch (type.kind) {
    case Kind::kObject:
      object(node, type.name, path);
      return;
    case Kind::kList:
      list(node, type, path);
      return;
    case Kind::kMap:
      map(node, type, path);
      return;
    default:
      break;
  }
  if (!node.IsScalar()) {
    report(node, "{}: expected {}, one value", path, type.name);
    return;
  }
  scalar(node, type, path);
}

void Linter::list(const YAML::Node& node, const FieldType& type, const std::string& path) {
  if (!node.IsSequence()) {
    report(node, "{}: expected a list", path);
    return;
  }
  const FieldType item = parse_field_type(type.name);
  size_t index = 0;
  for (const YAML::Node& entry : node) value(entry, item, fmt::format("{}[{}]", path, index++));
}

void Linter::map(const YAML::Node& node, const FieldType& type, const std::string& path) {
  if (!node.IsMap()) {
    report(node, "{}: expected names and values", path);
    return;
  }
  const FieldType item = parse_field_type(type.name == "quantities" ? "quantity" : "text");
  std::set<std::string> seen;
  for (const auto& entry : node) {
    const std::string place = path + "." + text_of(entry.first);
    if (!seen.insert(text_of(entry.first)).second) report(entry.first, "{}: given twice", place);
    value(entry.second, item, place);
  }
}

void Linter::scalar(const YAML::Node& node, const FieldType& type, const std::string& path) {
  const std::string& text = node.Scalar();
  const auto number = is_quoted(node) ? std::nullopt : to_integer(text);
  const bool whole = number.has_value();
  const int64_t count = number.value_or(-1);
  const auto expect = [&](bool right, std::string_view what) {
    if (!right) report(node, "{}: \"{}\" is not {}", path, text, what);
  };
  const bool is_text = is_quoted(node) || (!whole && !is_boolean(text));
  switch (type.kind) {
    case Kind::kInteger:
      expect(whole, "a whole number");
      break;
    case Kind::kCount:
      expect(count >= 0, "a whole number of at least 0");
      break;
    case Kind::kPort:
      expect(count >= 1 && count <= 65535, "a port, 1 to 65535");
      break;
    case Kind::kPortOrText:
      expect(whole ? count >= 1 && count <= 65535 : !text.empty(), "a port");
      break;
    case Kind::kBoolean:
      expect(!is_quoted(node) && is_boolean(text), "true or false");
      break;
    case Kind::kQuantity:
      expect(to_quantity(text).has_value(), "a quantity (8, 500m, 32Gi)");
      break;
    case Kind::kChoice:
      expect(std::ranges::find(type.choices, text) != type.choices.end(),
             "one of " + join(type.choices, ", "));
      break;
    default:
      expect(is_text, "a text; put it in quotes");
      break;
  }
}

// ---- rules of Kubernetes ----------------------------------------------------------------------

void Linter::pod(const YAML::Node& spec, const std::string& path, bool in_job) {
  if (!spec.IsMap()) return;
  std::set<std::string> volume_names;
  volumes(spec, path, volume_names);
  const YAML::Node containers = spec["containers"];
  if (containers.IsDefined() && containers.IsSequence() && containers.size() == 0) {
    report(containers, "{}.containers: at least one is needed", path);
  }
  std::set<std::string> names;
  for (const char* kind : {"initContainers", "containers"}) {
    const YAML::Node list = spec[kind];
    if (!list.IsDefined() || !list.IsSequence()) continue;
    for (size_t i = 0; i < list.size(); ++i) {
      if (!list[i].IsMap()) continue;
      const std::string place = fmt::format("{}.{}[{}]", path, kind, i);
      if (!names.insert(text_of(list[i]["name"])).second) {
        report(list[i], "{}.name: \"{}\" is taken", place, text_of(list[i]["name"]));
      }
      container(list[i], place, volume_names);
    }
  }
  if (in_job && text_of(spec["restartPolicy"]) == "Always") {
    report(spec["restartPolicy"], "{}.restartPolicy: a job's pods end; Never or OnFailure", path);
  }
}

void Linter::volumes(const YAML::Node& spec, const std::string& path,
                     std::set<std::string>& names) {
  const YAML::Node list = spec["volumes"];
  if (!list.IsDefined() || !list.IsSequence()) return;
  for (size_t i = 0; i < list.size(); ++i) {
    const YAML::Node volume = list[i];
    if (!volume.IsMap()) continue;
    const std::string place = fmt::format("{}.volumes[{}]", path, i);
    const std::string name = text_of(volume["name"]);
    if (!is_label(name, false)) report(volume, "{}.name: \"{}\" is no label", place, name);
    if (!names.insert(name).second) report(volume, "{}.name: \"{}\" is taken", place, name);
    if (volume.size() != 2) report(volume, "{}: needs a name and one source", place);
    const YAML::Node host = volume["hostPath"];
    if (host.IsDefined() && host.IsMap() && text_of(host["path"]).find("..") != std::string::npos) {
      report(host, "{}.hostPath.path: must not contain \"..\"", place);
    }
  }
}

void Linter::container(const YAML::Node& node, const std::string& path,
                       const std::set<std::string>& volume_names) {
  static const std::regex variable("[-._a-zA-Z][-._a-zA-Z0-9]*");
  const std::string name = text_of(node["name"]);
  if (!is_label(name, false)) report(node, "{}.name: \"{}\" is no label", path, name);
  if (node["image"].IsDefined() && text_of(node["image"]).empty()) {
    report(node, "{}.image: is empty", path);
  }
  const YAML::Node env = node["env"];
  for (size_t i = 0; env.IsDefined() && env.IsSequence() && i < env.size(); ++i) {
    const std::string key = env[i].IsMap() ? text_of(env[i]["name"]) : "";
    if (!std::regex_match(key, variable)) {
      report(env[i], "{}.env[{}].name: \"{}\" cannot be a variable", path, i, key);
    }
  }
  mounts(node["volumeMounts"], path + ".volumeMounts", volume_names);
  resources(node["resources"], path + ".resources");
  for (const char* kind : {"readinessProbe", "livenessProbe", "startupProbe"}) {
    probe(node[kind], path + "." + kind);
  }
}

void Linter::mounts(const YAML::Node& node, const std::string& path,
                    const std::set<std::string>& volume_names) {
  if (!node.IsDefined() || !node.IsSequence()) return;
  std::set<std::string> places;
  for (size_t i = 0; i < node.size(); ++i) {
    if (!node[i].IsMap()) continue;
    const std::string name = text_of(node[i]["name"]);
    const std::string place = text_of(node[i]["mountPath"]);
    const std::string sub = text_of(node[i]["subPath"]);
    if (!volume_names.contains(name)) {
      report(node[i], "{}[{}].name: there is no volume \"{}\"", path, i, name);
    }
    if (place.empty() || place.find(':') != std::string::npos) {
      report(node[i], "{}[{}].mountPath: \"{}\" must be a path without \":\"", path, i, place);
    }
    if (!places.insert(place).second) {
      report(node[i], "{}[{}].mountPath: {} is taken", path, i, place);
    }
    if (sub.starts_with('/') || sub.find("..") != std::string::npos) {
      report(node[i], "{}[{}].subPath: \"{}\" must stay in its volume", path, i, sub);
    }
  }
}

/// Requests are below limits; cards and huge pages come whole, and the two are equal.
void Linter::resources(const YAML::Node& node, const std::string& path) {
  if (!node.IsDefined() || !node.IsMap()) return;
  const YAML::Node limits = node["limits"];
  const YAML::Node requests = node["requests"];
  const auto amount = [](const YAML::Node& of, const std::string& name) {
    return of.IsDefined() && of.IsMap() ? to_quantity(text_of(of[name])) : std::nullopt;
  };
  std::set<std::string> names;
  for (const YAML::Node& list : {limits, requests}) {
    if (!list.IsDefined() || !list.IsMap()) continue;
    for (const auto& entry : list) names.insert(text_of(entry.first));
  }
  static const std::set<std::string> plain = {"cpu", "memory", "ephemeral-storage"};
  for (const std::string& name : names) {
    const auto limit = amount(limits, name);
    const auto request = amount(requests, name);
    if (limit && request && *request > *limit) {
      report(requests[name], "{}: {} requested is above its limit", path, name);
    }
    if (plain.contains(name)) continue;
    const bool pages = name.starts_with("hugepages-");
    if (!pages && name.find('/') == std::string::npos) {
      report(node, "{}: \"{}\" is no resource (cards are named as nvidia.com/gpu)", path, name);
    }
    if (!limit) report(node, "{}: {} needs a limit", path, name);
    if (limit && request && *limit != *request) {
      report(node, "{}: {} must be requested as it is limited", path, name);
    }
    if (!pages && limit && *limit != std::floor(*limit)) {
      report(node, "{}: {} comes whole", path, name);
    }
    if (pages && !names.contains("cpu") && !names.contains("memory")) {
      report(node, "{}: {} needs cpu or memory besides", path, name);
    }
  }
}

void Linter::probe(const YAML::Node& node, const std::string& path) {
  if (!node.IsDefined() || !node.IsMap()) return;
  int actions = 0;
  for (const char* action : {"tcpSocket", "exec", "httpGet"}) actions += node[action] ? 1 : 0;
  if (actions != 1) report(node, "{}: needs one of tcpSocket, exec and httpGet", path);
}

// ---- rules of the MPI operator ----------------------------------------------------------------

void Linter::replica(const YAML::Node& node, const std::string& path, bool launcher) {
  if (!node.IsDefined() || !node.IsMap()) return;
  const YAML::Node count = node["replicas"];
  const auto replicas = to_integer(text_of(count));
  if (!replicas) {
    report(node, "{}.replicas: is missing", path);
  } else if (launcher ? *replicas != 1 : *replicas < 1) {
    report(count, "{}.replicas: {} must be {}", path, *replicas, launcher ? "1" : "at least 1");
  }
  const YAML::Node pod_template = node["template"];
  if (pod_template.IsDefined() && pod_template.IsMap() && pod_template["spec"]) {
    pod(pod_template["spec"], path + ".template.spec", true);
  }
}

/// What the launcher's script starts must be what the workers have room for.
void Linter::ranks(const YAML::Node& spec) {
  const YAML::Node specs = spec["mpiReplicaSpecs"];
  if (!specs.IsDefined() || !specs.IsMap()) return;
  const YAML::Node worker = specs["Worker"];
  const YAML::Node launcher = specs["Launcher"];
  if (!worker.IsDefined() || !worker.IsMap() || !launcher.IsDefined()) return;
  const auto workers = to_integer(text_of(worker["replicas"]));
  const auto slots = to_integer(text_of(spec["slotsPerWorker"])).value_or(1);
  const std::string script = YAML::Dump(launcher);
  const auto number_after = [&](const std::string& name) -> std::optional<int64_t> {
    std::smatch match;
    const std::regex form(name + "[= ]([0-9]+)");
    if (!std::regex_search(script, match, form)) return std::nullopt;
    return to_integer(match[1]);
  };
  const auto nodes = number_after("NUM_NODES");
  const auto per_node = number_after("NGPU_PER_NODE");
  if (nodes && workers && *nodes != *workers) {
    report(worker, "the launcher counts {} nodes, Worker.replicas is {}", *nodes, *workers);
  }
  if (per_node && *per_node != slots) {
    report(spec, "the launcher counts {} cards a node, slotsPerWorker is {}", *per_node, slots);
  }
  const auto started = number_after("-np");
  if (started && workers && *started > *workers * slots) {
    report(spec, "mpirun -np {} is more than {} workers of {} slots", *started, *workers, slots);
  }
}

void Linter::job(const YAML::Node& root) {
  const YAML::Node spec = root["spec"];
  if (!spec.IsDefined() || !spec.IsMap()) return;
  const YAML::Node specs = spec["mpiReplicaSpecs"];
  if (!specs.IsDefined() || !specs.IsMap()) return;
  replica(specs["Launcher"], "spec.mpiReplicaSpecs.Launcher", true);
  replica(specs["Worker"], "spec.mpiReplicaSpecs.Worker", false);
  const YAML::Node metadata = root["metadata"];
  if (!metadata.IsDefined() || !metadata.IsMap()) return;
  int64_t workers = 1;
  if (const YAML::Node worker = specs["Worker"]; worker.IsDefined() && worker.IsMap()) {
    workers = to_integer(text_of(worker["replicas"])).value_or(1);
  }
  // The operator names its pods so and looks them up as hosts.
  const std::string last = fmt::format("{}-worker-{}", text_of(metadata["name"]), workers - 1);
  if (!is_label(last, true)) {
    report(metadata,
           "metadata.name: the worker's name \"{}\" is no host name (letters, digits "
           "and -, a letter first, 63 at most)",
           last);
  }
  ranks(spec);
}

void Linter::document(const YAML::Node& root) {
  if (root.IsNull()) return;
  if (!root.IsMap()) {
    report(root, "expected an object with apiVersion and kind");
    return;
  }
  const std::string kind = text_of(root["kind"]);
  const std::string api = text_of(root["apiVersion"]);
  if (kind != "Pod" && kind != "MPIJob") {
    report(root, "kind: \"{}\" is neither Pod nor MPIJob", kind);
    return;
  }
  const bool old = api == "kubeflow.org/v1";
  object(root, kind == "Pod" ? "Pod" : (old ? "MPIJob/v1" : "MPIJob/v2beta1"), kind);
  const YAML::Node metadata = root["metadata"];
  if (metadata.IsDefined() && metadata.IsMap()) {
    if (const std::string name = text_of(metadata["name"]); !is_subdomain(name)) {
      report(metadata, "metadata.name: \"{}\" is no name (a-z, 0-9, - and .)", name);
    }
    if (metadata["namespace"] && !is_label(text_of(metadata["namespace"]), false)) {
      report(metadata, "metadata.namespace: \"{}\" is no label", text_of(metadata["namespace"]));
    }
  }
  if (kind == "MPIJob") {
    job(root);
  } else if (root["spec"]) {
    pod(root["spec"], "spec", false);
  }
}

}  // namespace

std::vector<Finding> lint_manifest(const std::string& yaml) {
  Linter linter;
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(yaml);
    if (documents.empty()) return {{0, "the file is empty"}};
    for (const YAML::Node& document : documents) linter.document(document);
  } catch (const YAML::Exception& error) {
    return {{error.mark.line + 1, "no YAML: " + error.msg}};
  }
  return linter.take();
}

}  // namespace bertha::cli
