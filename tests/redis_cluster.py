"""A Redis Cluster for tests: nodes of its own, joined by hand, each with a third of the slots."""

from __future__ import annotations

import time

from tests.redis_server import PATIENCE_S, RedisServer, free_port

SLOTS = 16_384


class RedisClusterServers:
    """Some masters, without replicas. Use as `with`."""

    def __init__(self, folder, *options, count=3, node_timeout_ms=500):
        self.folder = folder
        self.options = (
            *("--cluster-enabled", "yes", "--cluster-node-timeout", str(node_timeout_ms)),
            *("--cluster-require-full-coverage", "no"),
            *options,
        )
        self.nodes = []
        for _ in range(count):
            self._add()

    @property
    def url(self):
        return self.nodes[0].url

    def name_of(self, node):
        """Return the name that the cluster knows the node by."""
        return node.command("CLUSTER", "MYID").split(b"\r\n")[1]

    def add_replica(self, master):
        """Start one more node, which follows the master, and has all that it has."""
        replica = self._add().start()
        self._meet(replica)
        name = self.name_of(master)
        self._await(replica, lambda said: name in said, "CLUSTER", "NODES")
        assert replica.command("CLUSTER", "REPLICATE", name).startswith(b"+OK")
        self._await(replica, lambda said: b"master_link_status:up" in said, "INFO", "replication")
        return replica

    def fail_over(self, replica):
        """Let the replica take its master's place."""
        give_up_s = time.monotonic() + PATIENCE_S
        while not replica.command("CLUSTER", "FAILOVER").startswith(b"+OK"):
            assert time.monotonic() < give_up_s
            time.sleep(0.02)
        self._await(replica, lambda said: b"role:master" in said, "INFO", "replication")

    def _add(self):
        folder = self.folder / f"{len(self.nodes)}"
        node = RedisServer(folder, *self.options, "--cluster-port", str(free_port()))
        self.nodes.append(node)
        return node

    def _meet(self, node):
        bus_port = node.options[node.options.index("--cluster-port") + 1]
        self.nodes[0].command("CLUSTER", "MEET", "127.0.0.1", node.port, bus_port)

    def _await(self, node, is_so, *words):
        give_up_s = time.monotonic() + PATIENCE_S
        while not is_so(said := node.command(*words)):
            assert time.monotonic() < give_up_s, said
            time.sleep(0.02)

    def __enter__(self):
        for node in self.nodes:
            node.start()
        count = len(self.nodes)
        for number, node in enumerate(self.nodes):
            first, end = (SLOTS * one // count for one in (number, number + 1))
            node.command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
            node.command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            self._meet(node)
        for node in self.nodes:
            self._await(
                node,
                lambda said: b"cluster_state:ok" in said and b"slots_assigned:16384" in said,
                *("CLUSTER", "INFO"),
            )
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            node.kill()
