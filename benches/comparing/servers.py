"""The processes of a run: the upstream that answers, and the three gateways before it.

Each serves on a loopback port with mutual TLS 1.3 and asks the upstream over kept mutual-TLS
connections, so that the only difference is what is done in between.
"""

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from . import world

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 2
CGROUPS = Path("/sys/fs/cgroup")


class Server:
    """A process that serves, with its children."""

    def __init__(self, name: str, port: int, folder: Path, command: list, environment: dict | None = None):
        self.name, self.port, self.folder, self.command = name, port, folder, [str(part) for part in command]
        self.environment = {**os.environ, **(environment or {})}
        self.process = None

    def start(self) -> None:
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(self.command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=self.environment)

    def stop(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
            self.process = None

    def wait(self) -> None:
        """Until it listens."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended: see {self.folder}/log")
            try:
                return socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                time.sleep(0.005)
        raise RuntimeError(f"{self.name} does not listen: see {self.folder}/log")

    def ports(self) -> list:
        """As the load generator takes them."""
        return ["--port", self.port]

    def pids(self) -> list[int]:
        return family(self.process.pid)

    def cpu_seconds(self) -> float:
        return sum(map(cpu_of, self.pids()))

    def resident_mib(self) -> float:
        return sum(map(resident_of, self.pids()))


def family(pid: int) -> list[int]:
    """A process and those that it began. A database server ends some of its own at any moment."""
    children = of(pid, f"task/{pid}/children").split()
    return [pid, *(member for child in children for member in family(int(child)))]


def of(pid: int, what: str) -> str:
    """What the kernel says of a process; nothing of one that has ended."""
    try:
        return Path(f"/proc/{pid}/{what}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def cpu_of(pid: int) -> float:
    if not (stat := of(pid, "stat")):
        return 0.0
    fields = stat.rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_of(pid: int) -> float:
    for line in of(pid, "status").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def nginx(name: str, port: int, folder: Path, servers: str) -> Server:
    folder.mkdir(parents=True)
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(f"""
{user} daemon off; worker_processes {WORKERS}; pid {folder}/pid; error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off; tcp_nodelay on; server_tokens off; default_type application/json;
  keepalive_timeout 600s; keepalive_requests 1000000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; client_body_buffer_size 64k;
  ssl_protocols TLSv1.3; ssl_session_tickets off; ssl_verify_client on;
{servers}
}}
""")
    return Server(name, port, folder, ["nginx", "-e", folder / "error.log", "-p", folder, "-c", "nginx.conf"])


def identity(pki: Path, who: str) -> str:
    return f"ssl_certificate {pki}/{who}.pem; ssl_certificate_key {pki}/{who}.key; ssl_client_certificate {pki}/ca.pem;"


def upstream(folder: Path, pki: Path) -> tuple[Server, dict[str, int]]:
    """One port for each dataset, each with its one answer."""
    ports = {dataset: free_port() for dataset in world.SIZES}
    answers = folder / "answers"
    servers = ""
    for dataset, port in ports.items():
        servers += f"""  server {{
    listen 127.0.0.1:{port} ssl backlog=1024; {identity(pki, "server")}
    root {answers}; open_file_cache max=16 inactive=1h; output_buffers 2 64k;
    location = /v1/fetch {{ error_page 405 =200 /{dataset}; return 405; }}
    location / {{ }}
  }}
"""
    server = nginx("upstream", ports[world.SMALL], folder, servers)
    answers.mkdir()
    for dataset in ports:
        (answers / dataset).write_bytes(world.adapter_answer(dataset))
    return server, ports


def nginx_peer(folder: Path, pki: Path, ports: dict[str, int]) -> Server:
    """Mutual TLS in, mutual TLS out, and nothing else."""
    port = free_port()
    upstreams = "".join(
        f"  upstream {dataset} {{ server 127.0.0.1:{at}; keepalive 128; keepalive_requests 1000000000; }}\n"
        for dataset, at in ports.items())
    locations = "".join(
        f"    location = {world.path(dataset)} {{ proxy_pass https://{dataset}/v1/fetch; }}\n" for dataset in ports)
    return nginx("nginx", port, folder, upstreams + f"""
  server {{
    listen 127.0.0.1:{port} ssl backlog=1024; {identity(pki, "server")} ssl_crl {pki}/crl.pem;
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffer_size 16k; proxy_buffers 16 16k;
    proxy_ssl_certificate {pki}/gateway.pem; proxy_ssl_certificate_key {pki}/gateway.key;
    proxy_ssl_trusted_certificate {pki}/ca.pem; proxy_ssl_verify on; proxy_ssl_name localhost;
    proxy_ssl_protocols TLSv1.3;
{locations}  }}
""")


def envoy_peer(folder: Path, pki: Path, ports: dict[str, int], binary: Path) -> Server:
    """Mutual TLS, RBAC by certificate and path, and a JSON line for each request."""
    folder.mkdir(parents=True)
    port = free_port()
    (folder / "envoy.json").write_text(json.dumps(envoy_config(port, folder, pki, ports)))
    return Server("envoy", port, folder, [binary, "-c", "envoy.json", "--concurrency", WORKERS, "--disable-hot-restart",
                                          "-l", "warning"])


def envoy_config(port: int, folder: Path, pki: Path, ports: dict[str, int]) -> dict:
    extension = "type.googleapis.com/envoy.extensions."
    certificate = lambda who: [{"certificate_chain": {"filename": f"{pki}/{who}.pem"},
                                "private_key": {"filename": f"{pki}/{who}.key"}}]
    versions = {"tls_minimum_protocol_version": "TLSv1_3", "tls_maximum_protocol_version": "TLSv1_3"}
    at = lambda port: {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    may_ask = {"and_rules": {"rules": [
        {"header": {"name": ":method", "string_match": {"exact": "POST"}}},
        {"or_rules": {"rules": [{"url_path": {"path": {"exact": world.path(dataset)}}} for dataset in ports]}}]}}
    rbac = {"@type": extension + "filters.http.rbac.v3.RBAC", "rules": {"action": "ALLOW", "policies": {"system": {
        "permissions": [may_ask],
        "principals": [{"authenticated": {"principal_name": {"exact": world.SYSTEM}}}]}}}}
    line = {"time": "%START_TIME%", "request_id": "%REQ(X-REQUEST-ID)%", "method": "%REQ(:METHOD)%",
            "path": "%REQ(:PATH)%", "status": "%RESPONSE_CODE%", "duration_ms": "%DURATION%",
            "peer": "%DOWNSTREAM_PEER_URI_SAN%", "fingerprint": "%DOWNSTREAM_PEER_FINGERPRINT_256%",
            "bytes": "%BYTES_SENT%"}
    manager = {
        "@type": extension + "filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in", "codec_type": "HTTP1",
        "access_log": [{"name": "file", "typed_config": {
            "@type": extension + "access_loggers.file.v3.FileAccessLog", "path": f"{folder}/access.log",
            "log_format": {"json_format": line}}}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
            {"match": {"path": world.path(dataset)}, "route": {"cluster": dataset, "prefix_rewrite": "/v1/fetch"}}
            for dataset in ports]}]},
        "http_filters": [{"name": "rbac", "typed_config": rbac}, {"name": "router", "typed_config": {
            "@type": extension + "filters.http.router.v3.Router"}}]}
    incoming = {"@type": extension + "transport_sockets.tls.v3.DownstreamTlsContext",
                "require_client_certificate": True, "disable_stateless_session_resumption": True,
                "common_tls_context": {
                    "tls_params": versions, "tls_certificates": certificate("server"),
                    "validation_context": {"trusted_ca": {"filename": f"{pki}/ca.pem"},
                                           "crl": {"filename": f"{pki}/crl.pem"}}}}
    outgoing = {"@type": extension + "transport_sockets.tls.v3.UpstreamTlsContext", "sni": "localhost",
                "common_tls_context": {
                    "tls_params": versions, "tls_certificates": certificate("gateway"),
                    "validation_context": {"trusted_ca": {"filename": f"{pki}/ca.pem"}, "match_typed_subject_alt_names": [
                        {"san_type": "DNS", "matcher": {"exact": "localhost"}}]}}}
    cluster = lambda dataset, to: {
        "name": dataset, "type": "STATIC", "connect_timeout": "1s",
        "load_assignment": {"cluster_name": dataset, "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": at(to)}}]}]},
        "transport_socket": {"name": "tls", "typed_config": outgoing}}
    return {"static_resources": {
        "listeners": [{"name": "in", "address": at(port), "filter_chains": [{
            "filters": [{"name": "http", "typed_config": manager}],
            "transport_socket": {"name": "tls", "typed_config": incoming}}]}],
        "clusters": [cluster(dataset, to) for dataset, to in ports.items()]}}


class Gateway(Server):
    """Sluice, with a catalogue of its own."""

    def __init__(self, name: str, folder: Path, pki: Path, ports: dict[str, int], binary: Path, catalogue: tuple,
                 database: str = "", keys: Path | None = None, workers: int = WORKERS):
        folder.mkdir(parents=True)
        super().__init__(name, free_port(), folder, [binary, "serve", "--config", "sluice.toml"])
        self.binary, self.pki, self.catalogue = binary, pki, folder / "catalogue"
        world.write_catalogue(self.catalogue, *catalogue)
        adapters = "".join(self.adapter(dataset, at) for dataset, at in ports.items()
                           if (self.catalogue / f"schemas/{dataset}.json").exists())
        (folder / "sluice.toml").write_text(f"""
[gateway]
listen = "127.0.0.1:{self.port}"
ops_listen = "127.0.0.1:{free_port()}"
data_dir = "data"
catalogue_dir = "catalogue"
workers = {workers}
[tls]
certificate = "{pki}/server.pem"
key = "{pki}/server.key"
client_ca = "{pki}/ca.pem"
client_crls = ["{pki}/crl.pem"]
[audit]
signing_key_file = "keys/audit.key"
subject_key_file = "keys/subjects.key"
checkpoint_copy_file = "second-place/checkpoint"
{adapters}{database}""")
        (folder / "data").mkdir()
        if keys:
            # Another gateway of the same log: it says that it has not seen it yet.
            shutil.copytree(keys, folder / "keys")
            (folder / "second-place").mkdir()
            (folder / "second-place/checkpoint").touch()
            return
        self.run("keys", "--dir", "keys", "--origin", "bench/log")
        if database:
            self.run("migrate", "--config", "sluice.toml", "--owner", "sluice_owner")
        self.run("key", "register", "--config", "sluice.toml", "--certificate", f"{pki}/client.pem", "--system",
                 world.SYSTEM)

    def adapter(self, dataset: str, port: int) -> str:
        return f"""
[[adapter]]
name = "{dataset}"
url = "https://localhost:{port}"
allow = ["127.0.0.1/32:{port}"]
[adapter.tls]
ca = "{self.pki}/ca.pem"
certificate = "{self.pki}/gateway.pem"
key = "{self.pki}/gateway.key"
[adapter.source.sluice]
datasets = ["{dataset}"]
"""

    def run(self, *arguments: str) -> None:
        done = subprocess.run([self.binary, *arguments], cwd=self.folder, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"sluice {' '.join(arguments)}: {done.stderr}")


@contextmanager
def bounded(servers: list[Server], share: float):
    """Gives each so much of a processor and no more: what one gets the others need not do without."""
    period = 4000
    groups = {server: CGROUPS / f"{'' if unified() else 'cpu/'}sluice-compare-{server.process.pid}" for server in servers}
    try:
        if unified():
            (CGROUPS / "cgroup.subtree_control").write_text("+cpu")
        for server, group in groups.items():
            group.mkdir()
            if unified():
                (group / "cpu.max").write_text(f"{int(share * period)} {period}")
            else:
                (group / "cpu.cfs_period_us").write_text(str(period))
                (group / "cpu.cfs_quota_us").write_text(str(int(share * period)))
            (group / "cgroup.procs").write_text(str(server.process.pid))
        yield
    finally:
        for server, group in groups.items():
            if group.exists():
                (group.parent / "cgroup.procs").write_text(str(server.process.pid))
                group.rmdir()


def unified() -> bool:
    """Whether the kernel's control groups are of the second version."""
    return (CGROUPS / "cgroup.controllers").exists()


class Several:
    """Gateways that share a database, as one server; with what the database's server costs."""

    def __init__(self, name: str, gateways: list[Gateway], postgres: "Postgres"):
        self.name, self.gateways, self.postgres, self.port = name, gateways, postgres, gateways[0].port

    def start(self) -> None:
        for gateway in self.gateways:
            gateway.start()
            # One after the other: the first of them begins the log.
            gateway.wait()

    def stop(self) -> None:
        for gateway in self.gateways:
            gateway.stop()

    def wait(self) -> None:
        for gateway in self.gateways:
            gateway.wait()

    def ports(self) -> list:
        return [part for gateway in self.gateways for part in gateway.ports()]

    def cpu_seconds(self) -> float:
        return sum(server.cpu_seconds() for server in [*self.gateways, self.postgres])

    def resident_mib(self) -> float:
        return sum(gateway.resident_mib() for gateway in self.gateways)


class Postgres(Server):
    """A PostgreSQL server as it is made by default, with one database for gateways."""

    def __init__(self, name: str):
        # Where its user may go, and removed with the server.
        self.temporary = tempfile.TemporaryDirectory(prefix="sluice-compare-")
        folder = Path(self.temporary.name)
        bin = max(Path("/usr/lib/postgresql").glob("*/bin"))
        self.become = []
        if os.geteuid() == 0:
            os.chown(folder, 65534, 65534)
            self.become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        subprocess.run([*self.become, bin / "initdb", "-D", folder / "data", "--auth=trust", "--username=admin",
                        "--encoding=UTF8", "--locale=C.UTF-8"], check=True, stdout=subprocess.DEVNULL, cwd="/")
        command = [*self.become, bin / "postgres", "-D", folder / "data", "-k", folder, "-h", "", "-c",
                   "max_connections=200"]
        super().__init__(name, 5432, folder, command)

    def wait(self) -> None:
        deadline = time.monotonic() + 60
        while self.sql("postgres", "SELECT 1", check=False).returncode != 0:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not listen: see {self.folder}/log")
            time.sleep(0.05)
        self.sql("postgres", "CREATE DATABASE sluice")
        self.sql("sluice", (ROOT / "deploy/postgres/roles.sql").read_text())

    def sql(self, database: str, text: str, check: bool = True) -> subprocess.CompletedProcess:
        return subprocess.run(["psql", "-h", self.folder, "-U", "admin", "-d", database, "-v", "ON_ERROR_STOP=1", "-q"],
                              input=text, text=True, check=check, capture_output=True)

    def section(self) -> str:
        """For a gateway's configuration."""
        socket = str(self.folder).replace("/", "%2F")
        return f'\n[database]\nurl = "postgres://sluice_gateway@{socket}/sluice"\n'

    def stop(self) -> None:
        if self.process:
            # Its sessions are ended; the gateways are gone by then.
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)
            self.process = None
            self.temporary.cleanup()


class Client:
    """One kept connection, to ask a single query now and then."""

    def __init__(self, port: int, pki: Path):
        context = ssl.create_default_context(cafile=str(pki / "ca.pem"))
        context.load_cert_chain(str(pki / "client.pem"), str(pki / "client.key"))
        self.stream = context.wrap_socket(socket.create_connection(("127.0.0.1", port), 5), server_hostname="localhost")
        self.reader = self.stream.makefile("rb")

    def ask(self, dataset: str) -> tuple[int, bytes]:
        body = world.query(dataset)
        head = (f"POST {world.path(dataset)} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
                f"content-length: {len(body)}\r\n\r\n")
        self.stream.sendall(head.encode() + body)
        status, length = int(self.reader.readline().split()[1]), 0
        while (line := self.reader.readline().strip()):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return status, self.reader.read(length)

    def close(self) -> None:
        self.stream.close()
