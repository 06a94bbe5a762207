"""Services in the environment of pods."""

from conformance.judge import Answers, Judge
from fixtures.api import PODS, Api
from fixtures.clusters import ClusterInfo
from fixtures.prober.plan import Target
from fixtures.prober.vantages import PodVantage
from fixtures.requirements import MUST, requirement
from fixtures.workloads.services import Service, family_of
from fixtures.workloads.vantages import start_talking_pod


@requirement(
    "cluster_ip.pods_have_variables_of_services",
    promise="A pod that starts later than a Service of its namespace has the Service's address and ports as variables.",
    source="kubernetes.io: Service, Discovering services, Environment variables",
    level=MUST,
)
def test_pods_have_variables_of_services(
    *,
    api: Api,
    cluster: ClusterInfo,
    judge: Judge,
    cluster_ip_service: Service,
    shared_namespace: str,
    pod_vantages: tuple[PodVantage, ...],
) -> None:
    """Fault: `settings_ignored`, an admission policy by which new pods want no such variables."""
    name, address = cluster_ip_service.name.upper().replace("-", "_"), cluster_ip_service.body["spec"]["clusterIP"]
    host = f"[{address}]" if ":" in address else address
    variables = {
        f"{name}_SERVICE_HOST": address,
        f"{name}_SERVICE_PORT": "80",
        f"{name}_SERVICE_PORT_WEB": "80",
        f"{name}_PORT": f"tcp://{host}:80",
        f"{name}_PORT_80_TCP_ADDR": address,
        f"{name}_PORT_80_UDP_PROTO": "udp",
    }
    # Kubernetes puts the variables' values in place of their names, and the pod says the text in each answer.
    says = " ".join(f"$({variable})" for variable in variables)
    pod = start_talking_pod(api, cluster, shared_namespace, says=says, service_links=True)
    (ip, *_) = pod.ips
    target = Target(name=f"http pod {ip}", address=ip, port=80, protocol="http", family=family_of(ip))
    answers = [Answers(pod_vantages[0], [target], {pod.name})]
    judge.must_be_answered(answers, token=" ".join(variables.values()), of=1)
    api.delete(PODS, pod.name, shared_namespace)
