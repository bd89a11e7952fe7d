#!/usr/bin/env python3
"""Renders every form of the manifests and validates them against the schemas of Kubernetes.

    pip install kubernetes-validate
    tests/k8s/validate_manifests.py build/release/bertha [VERSION]

The schemas (strict: unknown fields are errors) are those of the package, of the newest Kubernetes it
knows or of VERSION. Pods are validated as they are. MPIJob is no kind of Kubernetes itself: the
templates of its replicas are validated as Pods, and manifests_test.cc checks the rest. This script
is run by hand; it is not part of ctest.
"""

import itertools
import pathlib
import subprocess
import sys
import tempfile

import kubernetes_validate
import yaml


def pods_of(document):
    """The Pods in a manifest, each with a name."""
    if document["kind"] == "Pod":
        yield "pod", document
        return
    for name, replica in document["spec"]["mpiReplicaSpecs"].items():
        template = dict(replica["template"], apiVersion="v1", kind="Pod")
        template.setdefault("metadata", {"name": "replica"})
        yield name, template


def main():
    bertha = sys.argv[1]
    version = sys.argv[2] if len(sys.argv) > 2 else kubernetes_validate.latest_version()
    pods = faults = 0
    forms = itertools.product(
        ("nvidia", "gaudi", "cpu"), ("hostpath", "claims"), ("v2beta1", "v1")
    )
    for device, storage, api in forms:
        with tempfile.TemporaryDirectory() as folder:
            options = [f"--device={device}", f"--storage={storage}", f"--api={api}"]
            subprocess.run(
                [bertha, "k8s", "render", f"--output-dir={folder}", *options], check=True
            )
            for path in sorted(pathlib.Path(folder).rglob("*.yaml")):
                for document in yaml.safe_load_all(path.read_text()):
                    for name, pod in pods_of(document):
                        pods += 1
                        try:
                            kubernetes_validate.validate(pod, version, strict=True)
                        except kubernetes_validate.ValidationError as error:
                            faults += 1
                            where = f"{path.relative_to(folder)} ({' '.join(options)}) {name}"
                            print(f"{where}: {error.message} at {list(error.path)}")
    print(f"{pods} pods against Kubernetes {version}: {faults} not valid")
    return 1 if faults or pods == 0 else 0


sys.exit(main())
