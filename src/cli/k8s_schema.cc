#include "cli/k8s_schema.h"

#include <sstream>

#include "core/error.h"

namespace bertha::cli {
namespace {

// A type, then its fields: name (! = must be there) and what it holds. text, integer, count (not
// negative), port, boolean, quantity, port-or-text, map (texts by name), =a|b (one of), [X] a list,
// else another type.
constexpr std::string_view kTable = R"(
Pod                   apiVersion! =v1  kind! =Pod  metadata! Metadata  spec! PodSpec
MPIJob/v2beta1        apiVersion! =kubeflow.org/v2beta1  kind! =MPIJob  metadata! Metadata
                      spec! JobSpec2
MPIJob/v1             apiVersion! =kubeflow.org/v1  kind! =MPIJob  metadata! Metadata
                      spec! JobSpec1
Metadata              name! text  namespace text  labels map  annotations map
JobSpec2              slotsPerWorker count  runLauncherAsWorker boolean  runPolicy RunPolicy
                      mpiReplicaSpecs! Replicas  sshAuthMountPath text
                      launcherCreationPolicy =AtStartup|WaitForWorkersReady
                      mpiImplementation =OpenMPI|Intel|MPICH
JobSpec1              slotsPerWorker count  runPolicy RunPolicy  mpiReplicaSpecs! Replicas
                      mainContainer text  cleanPodPolicy =None|Running|All
RunPolicy             cleanPodPolicy =None|Running|All  ttlSecondsAfterFinished count
                      activeDeadlineSeconds count  backoffLimit count  suspend boolean
                      schedulingPolicy SchedulingPolicy  managedBy text
SchedulingPolicy      minAvailable count  queue text  minResources map  priorityClass text
                      scheduleTimeoutSeconds count
Replicas              Launcher! Replica  Worker Replica
Replica               replicas count  template! Template  restartPolicy =Never|OnFailure
Template              metadata TemplateMetadata  spec! PodSpec
TemplateMetadata      name text  labels map  annotations map
PodSpec               restartPolicy =Always|OnFailure|Never  volumes [Volume]
                      containers! [Container]  initContainers [Container]
                      terminationGracePeriodSeconds count  activeDeadlineSeconds count
                      hostIPC boolean  hostNetwork boolean  hostPID boolean
                      nodeSelector map  nodeName text  serviceAccountName text
                      securityContext PodSecurity  imagePullSecrets [Reference]
                      tolerations [Toleration]  priorityClassName text  schedulerName text
                      dnsPolicy =ClusterFirst|ClusterFirstWithHostNet|Default|None
                      hostname text  subdomain text  automountServiceAccountToken boolean
                      shareProcessNamespace boolean  runtimeClassName text
Reference             name! text
Toleration            key text  operator =Exists|Equal  value text
                      effect =NoSchedule|PreferNoSchedule|NoExecute  tolerationSeconds integer
PodSecurity           runAsUser count  runAsGroup count  fsGroup count  runAsNonRoot boolean
                      supplementalGroups [integer]
Volume                name! text  emptyDir EmptyDir  hostPath HostPath
                      persistentVolumeClaim Claim  configMap ConfigMap  secret Secret
EmptyDir              medium =Memory|HugePages|HugePages-2Mi|HugePages-1Gi  sizeLimit quantity
HostPath              path! text
                      type =DirectoryOrCreate|Directory|FileOrCreate|File|Socket|CharDevice|BlockDevice
Claim                 claimName! text  readOnly boolean
ConfigMap             name! text  defaultMode count  optional boolean
Secret                secretName! text  defaultMode count  optional boolean
Container             name! text  image! text  imagePullPolicy =Always|IfNotPresent|Never
                      command [text]  args [text]  workingDir text  env [Variable]
                      resources Resources  volumeMounts [Mount]  ports [ContainerPort]
                      readinessProbe Probe  livenessProbe Probe  startupProbe Probe
                      lifecycle Lifecycle  securityContext ContainerSecurity
                      stdin boolean  tty boolean  terminationMessagePath text
                      terminationMessagePolicy =File|FallbackToLogsOnError
Variable              name! text  value text  valueFrom ValueSource
ValueSource           fieldRef FieldReference
FieldReference        fieldPath! text  apiVersion text
Resources             limits quantities  requests quantities
Mount                 name! text  mountPath! text  readOnly boolean  subPath text
                      mountPropagation =None|HostToContainer|Bidirectional
ContainerPort         containerPort! port  name text  protocol =TCP|UDP|SCTP  hostPort port
Probe                 tcpSocket Socket  exec Exec  httpGet HttpGet  initialDelaySeconds count
                      periodSeconds count  timeoutSeconds count  failureThreshold count
                      successThreshold count
Socket                port! port-or-text  host text
Exec                  command [text]
HttpGet               port! port-or-text  path text  host text  scheme =HTTP|HTTPS
Lifecycle             preStop Handler  postStart Handler
Handler               exec Exec  httpGet HttpGet  tcpSocket Socket
ContainerSecurity     runAsUser count  runAsGroup count  runAsNonRoot boolean
                      readOnlyRootFilesystem boolean  allowPrivilegeEscalation boolean
                      privileged boolean  capabilities Capabilities
Capabilities          add [text]  drop [text]
)";

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, at);) parts.push_back(part);
  return parts;
}

Schema read_table(std::string_view table) {
  Schema schema;
  std::istringstream lines{std::string(table)};
  ObjectType* object = nullptr;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    if (!line.starts_with(' ') && words >> name) object = &schema[name];
    std::string type;
    while (words >> name >> type) {
      BERTHA_CHECK(object != nullptr);
      const bool required = name.ends_with('!');
      if (required) name.pop_back();
      (*object)[name] = {.type = parse_field_type(type), .required = required};
    }
  }
  return schema;
}

}  // namespace

FieldType parse_field_type(std::string_view text) {
  using Kind = FieldType::Kind;
  static const std::map<std::string_view, Kind> kScalars = {
      {"text", Kind::kText}, {"integer", Kind::kInteger}, {"count", Kind::kCount},
      {"port", Kind::kPort}, {"boolean", Kind::kBoolean}, {"quantity", Kind::kQuantity},
      {"map", Kind::kMap},   {"quantities", Kind::kMap},  {"port-or-text", Kind::kPortOrText}};
  FieldType type;
  type.name = text;
  if (text.starts_with('=')) {
    type.kind = Kind::kChoice;
    type.choices = split(std::string(text.substr(1)), '|');
  } else if (text.starts_with('[')) {
    type.kind = Kind::kList;
    type.name = text.substr(1, text.size() - 2);
  } else if (const auto found = kScalars.find(text); found != kScalars.end()) {
    type.kind = found->second;
  } else {
    type.kind = Kind::kObject;
  }
  return type;
}

const Schema& manifest_schema() {
  static const Schema schema = read_table(kTable);
  return schema;
}

}  // namespace bertha::cli
