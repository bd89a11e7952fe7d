#include "k8s/server_manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "core/error.h"
#include "k8s/text_template.h"

namespace bertha::k8s {
namespace {

// Readiness and liveness differ: a server that loads or drains is not ready, and lives.
constexpr std::string_view kServer =
    R"(# Made by bertha k8s render --job=serve. Change the options there, or this file, and apply it:
# kubectl apply -f kubernetes.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: bertha-serve
  namespace: {{namespace}}
  labels:
    app: bertha-serve
spec:
  replicas: {{replicas}}
  selector:
    matchLabels:
      app: bertha-serve
  strategy:
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
  template:
    metadata:
      labels:
        app: bertha-serve
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "8080"
        prometheus.io/path: /metrics
    spec:
      terminationGracePeriodSeconds: {{termination_seconds}}
      automountServiceAccountToken: false
      volumes:
        - name: models
          persistentVolumeClaim:
            claimName: {{models_claim}}
            readOnly: true
      containers:
        - name: bertha
          image: {{image}}
          command: ["bertha", "serve"]
          {{arguments}}
          ports:
            - name: http
              containerPort: 8080
          startupProbe:  # the models are loaded and warm within five minutes
            httpGet:
              path: /health
              port: http
            periodSeconds: 1
            failureThreshold: 300
          readinessProbe:
            httpGet:
              path: /health
              port: http
            periodSeconds: 2
            failureThreshold: 1
          livenessProbe:
            httpGet:
              path: /v2/health/live
              port: http
            periodSeconds: 10
            failureThreshold: 3
          securityContext:
            runAsUser: 1000  # the image's user; build it with your number (id -u)
            runAsNonRoot: true
            readOnlyRootFilesystem: true
            allowPrivilegeEscalation: false
            capabilities:
              drop: ["ALL"]
            seccompProfile:
              type: RuntimeDefault
          volumeMounts:
            - name: models
              mountPath: /models
              readOnly: true
          resources:
            limits:
              cpu: {{cpus}}
              memory: {{memory}}
              {{devices}}
            requests:
              cpu: {{cpus}}
              memory: {{memory}}
              {{devices}}
---
apiVersion: v1
kind: Service
metadata:
  name: bertha-serve
  namespace: {{namespace}}
spec:
  selector:
    app: bertha-serve
  ports:
    - name: http
      port: 80
      targetPort: http
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: bertha-serve
  namespace: {{namespace}}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      app: bertha-serve
)";

constexpr int64_t kSpareSeconds = 5;  ///< beside draining: to end the process

/// NAME=FOLDER[:TASK] with the folder below /models, where the claim is mounted.
std::string mounted(const std::string& model) {
  const size_t equals = model.find('=');
  const std::string folder = equals == std::string::npos ? "" : model.substr(equals + 1);
  if (folder.empty() || equals == 0) {
    fail("--model {}: expected NAME=FOLDER or NAME=FOLDER:TASK, the folder one of the claim",
         model);
  }
  if (folder.starts_with("/") || model.find_first_of("\"\\\n") != std::string::npos) {
    fail("--model {}: expected a folder of the claim, as a path without \"/\" at its start", model);
  }
  return fmt::format("{}=/models/{}", model.substr(0, equals), folder);
}

/// The list of the container's arguments, an option and its value a line.
std::string arguments(const ServerManifestOptions& o) {
  std::string text = "args:\n";
  const auto add = [&](std::string_view name, const std::string& value) {
    text += fmt::format("  - \"--{}={}\"\n", name, value);
  };
  add("host", "0.0.0.0");
  add("port", "8080");
  for (const std::string& model : o.models) add("model", mounted(model));
  add("device", o.device == "nvidia" ? "cuda" : "cpu");
  if (o.autocast) add("precision", "bf16");
  add("drain-delay-s", fmt::to_string(o.drain_seconds));
  add("grace-s", fmt::to_string(o.grace_seconds));
  add("access-log", "json");
  return text;
}

void check(const ServerManifestOptions& o) {
  if (o.device != "cpu" && o.device != "nvidia") {
    fail("--device {}: expected cpu or nvidia", o.device);
  }
  if (o.models.empty()) fail("--model: expected a model to serve");
  if (o.replicas < 1 || o.cpus < 1) fail("--replicas and --cpus must be at least 1");
  if (o.drain_seconds < 0 || o.grace_seconds < 1) {
    fail("--drain-seconds must be at least 0, and --grace-seconds at least 1");
  }
}

}  // namespace

std::string render_server_manifest(const ServerManifestOptions& o) {
  check(o);
  return fill_template(
      kServer,
      {{"namespace", o.name_space},
       {"replicas", fmt::to_string(o.replicas)},
       {"termination_seconds", fmt::to_string(o.drain_seconds + o.grace_seconds + kSpareSeconds)},
       {"models_claim", o.models_claim},
       {"image", o.image},
       {"arguments", arguments(o)},
       {"cpus", fmt::to_string(o.cpus)},
       {"memory", o.memory},
       {"devices", o.device == "nvidia" ? "nvidia.com/gpu: 1" : ""}});
}

}  // namespace bertha::k8s
