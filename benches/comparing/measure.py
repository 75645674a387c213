"""One turn of the load generator against one server, and what it cost."""

import json
import statistics
import subprocess
import threading
import time
from contextlib import nullcontext
from pathlib import Path

from . import world
from .servers import Client, Gateway, Server, bounded


class Load:
    """The load generator, with the queries it sends."""

    def __init__(self, binary: Path, folder: Path, pki: Path, seconds: int):
        folder.mkdir(parents=True)
        self.seconds = seconds
        self.command = [binary, "--ca", pki / "ca.pem", "--cert", pki / "client.pem", "--key", pki / "client.key",
                        "--seconds", seconds, "--warmup-seconds", 1]
        for dataset in world.SIZES:
            (folder / dataset).write_bytes(world.query(dataset))
        request = lambda weight, dataset: ["--request", f"{weight},{world.path(dataset)},{folder / dataset}"]
        self.small = request(1, world.SMALL)
        self.mix = [part for dataset, (_, weight) in world.MIX.items() for part in request(weight, dataset)]

    def turn(self, server: Server, connections: int, mix: bool = False, share: float | None = None) -> dict:
        """Drives the server; refuses a result in which anything but 200 came back."""
        with bounded(server.gateways, share) if share else nullcontext():
            return self.drive(server, connections, mix)

    def drive(self, server: Server, connections: int, mix: bool) -> dict:
        command = [*self.command, *server.ports(), "--connections", connections, *(self.mix if mix else self.small)]
        before, watch = server.cpu_seconds(), Watch(server)
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        rss, cpu = watch.end(), server.cpu_seconds() - before
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        result = json.loads(done.stdout)
        if result["failures"] or set(result["statuses"]) != {"200"}:
            raise RuntimeError(f"{server.name}: {result['statuses']} {result['failures']}")
        return {**result, "rss_mib": rss, "cpu_us": cpu / result["all_answers"] * 1e6,
                "load_cpu": result["own_cpu_seconds"] / result["seconds"]}


class Watch:
    """The most memory that a server has while it is driven."""

    def __init__(self, server: Server):
        self.server, self.most, self.over = server, 0.0, threading.Event()
        self.thread = threading.Thread(target=self.look)
        self.thread.start()

    def look(self) -> None:
        while not self.over.wait(0.2):
            self.most = max(self.most, self.server.resident_mib())

    def end(self) -> float:
        self.over.set()
        self.thread.join()
        return self.most


def start_ms(gateway: Gateway, times: int) -> float:
    """From the start of the program to the first answered query; its catalogue was stored before."""
    took = []
    for _ in range(times):
        gateway.stop()
        began = time.perf_counter()
        gateway.start()
        gateway.wait()
        client = Client(gateway.port, gateway.pki)
        status, _ = client.ask(world.SMALL)
        took.append((time.perf_counter() - began) * 1e3)
        client.close()
        if status != 200:
            raise RuntimeError(f"the first query was answered {status}")
    return statistics.median(took)


def reload_ms(gateway: Gateway, datasets: int, rules: int, times: int) -> tuple[float, float]:
    """From `sluice apply` to the first query that is refused, or allowed again, by a changed rule.

    Gives the whole time, and that after the command has stored the new version.
    """
    client, whole, after = Client(gateway.port, gateway.pki), [], []
    for turn in range(2 * times):
        wanted = 403 if turn % 2 == 0 else 200
        world.write_rules(gateway.catalogue, world.SMALL, rules // datasets, denied=wanted == 403)
        began, applied = time.perf_counter(), []
        command = threading.Thread(target=lambda: (
            gateway.run("apply", "--config", "sluice.toml"), applied.append(time.perf_counter())))
        command.start()
        while client.ask(world.SMALL)[0] != wanted:
            if time.perf_counter() - began > 60:
                raise RuntimeError("a changed rule did not come in force")
            # About every millisecond: the asking must not take the processor from what it waits for.
            time.sleep(0.001)
        seen = time.perf_counter()
        command.join()
        whole.append((seen - began) * 1e3)
        after.append(max(0.0, (seen - applied[0]) * 1e3))
    client.close()
    return statistics.median(whole), statistics.median(after)
