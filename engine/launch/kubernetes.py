"""A run on Kubernetes as a manifest: one Indexed Job, whose index 0 is the coordinator and all others are workers."""

import shlex
from dataclasses import dataclass

from engine.wire.keys import Keys

PORT = 5555
MANIFEST = """\
# gradsum on Kubernetes (1.33 or later, for successPolicy): kubectl apply -f THIS; kubectl logs -f job/{name}
# The key was made for this manifest: anyone who has it can join the run. Keep it as you keep other secrets.
apiVersion: v1
kind: Secret
metadata: {{name: "{name}"}}
type: Opaque
stringData:
  coordinator: |
    {coordinator_key}
  worker: |
    {worker_key}
---
# Gives the coordinator the name {name}-0.{name}.
apiVersion: v1
kind: Service
metadata: {{name: "{name}"}}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector: {{job-name: "{name}"}}
  ports: [{{name: coordinator, port: {port}}}]
---
# Records and checkpoints: a preempted coordinator continues from there. All pods are alike, so it is for many nodes.
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: "{name}"}}
spec:
  accessModes: [ReadWriteMany]
  resources: {{requests: {{storage: 10Gi}}}}
---
apiVersion: batch/v1
kind: Job
metadata: {{name: "{name}"}}
spec:
  completionMode: Indexed
  completions: {pods}
  parallelism: {pods}
  backoffLimitPerIndex: 20
  successPolicy: {{rules: [{{succeededIndexes: "0", succeededCount: 1}}]}}  # the end of the coordinator ends all
  podFailurePolicy:
    rules:
      - {{action: Ignore, onPodConditions: [{{type: DisruptionTarget, status: "True"}}]}}  # preempted, drained
      - {{action: FailIndex, onExitCodes: {{operator: In, values: [2]}}}}  # bad usage gets no better
  template:
    spec:
      restartPolicy: Never
      subdomain: "{name}"
      terminationGracePeriodSeconds: 60
      securityContext: {{runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000}}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector: {{matchLabels: {{job-name: "{name}"}}}}
      containers:
        - name: gradsum
          image: "{image}"
          env: [{{name: GRADSUM_CACHE, value: /cache}}]
          command: [sh, -c]
          args:
            - |
              if [ "$JOB_COMPLETION_INDEX" = 0 ]; then
                exec gradsum coordinator --bind 'tcp://*:{port}' --key /keys/coordinator --key-mode any \\
                  --db /runs/records.db --resume /runs/{name} --or-begin --quiet --json {options}
              fi
              exec gradsum worker tcp://{name}-0.{name}:{port} --key /keys/worker --key-mode any \\
                --processes {cores}{worker_options}
          ports: [{{containerPort: {port}}}]
          resources:
            requests: {{cpu: "{cores}", memory: {memory}Mi}}
            limits: {{cpu: "{cores}", memory: {memory}Mi}}
          volumeMounts:
            - {{name: keys, mountPath: /keys, readOnly: true}}
            - {{name: runs, mountPath: /runs}}
            - {{name: cache, mountPath: /cache}}
      volumes:
        - {{name: keys, secret: {{secretName: "{name}", defaultMode: 0440}}}}
        - {{name: runs, persistentVolumeClaim: {{claimName: "{name}"}}}}
        - {{name: cache, emptyDir: {{}}}}
"""
MEMORY = (512, 256)  # megabytes of a pod, and more for each process


@dataclass(frozen=True)
class Pods:
    """What is asked for: `workers` processes in all, `cores` of them a pod; `options` are of `gradsum train`.

    `worker_options`: those of them that workers need, too.
    """

    workers: int
    cores: int
    image: str
    name: str
    options: str
    worker_options: str = ""


def manifest(pods: Pods, keys: Keys) -> str:
    """Return the manifest, as YAML."""
    base, each = MEMORY
    return MANIFEST.format(
        name=pods.name,
        port=PORT,
        pods=1 - -pods.workers // pods.cores,
        cores=pods.cores,
        memory=base + each * pods.cores,
        image=pods.image,
        options=shlex.join(shlex.split(pods.options)),
        worker_options="".join(f" {shlex.quote(word)}" for word in shlex.split(pods.worker_options)),
        coordinator_key=keys.text().strip().replace("\n", "\n    "),
        worker_key=keys.way_in().decode().strip(),
    )
