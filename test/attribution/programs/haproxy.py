# SPDX-License-Identifier: Apache-2.0
"""HAProxy: a service in Lua that burns, on two threads of which Lua itself runs on one at a time."""
import servers
from program import Program

CONFIG = """
global
    nbthread {threads}
    maxconn 1000
    lua-load{each} {dir}/service.lua
defaults
    mode http
    timeout connect 20s
    timeout client 20s
    timeout server 20s
frontend burning
    bind 127.0.0.1:{port}
    http-request use-service lua.burn
"""
SERVICE = """
local burn = package.loadlib("{dir}/burn_lua.so", "burn_lua")
core.register_service("burn", "http", function(applet)
    local n, us = applet.qs:match("n=(%d+)&us=(%d+)")
    {work}
    applet:set_status(200)
    applet:add_header("content-length", "5")
    applet:start_response()
    applet:send("done\\n")
end)
"""
ACTIONS = """
local burn = package.loadlib("{dir}/burn_lua.so", "burn_lua")
core.register_action("before", {"http-req"}, function(txn)
    local n, us = txn.sf:query():match("n=(%d+)&us=(%d+)")
    txn:set_priv({n, us})
    burn(n, us * 0.3)
end)
core.register_action("after", {"http-res"}, function(txn)
    local asked = txn:get_priv()
    burn(asked[1], asked[2] * 0.3)
end)
"""


class Haproxy(Program):
    recall = 0
    exception = "it reads all heads of a turn before it works on any, and its Lua services take turns without a " \
        "call: detected, and left unlabelled"
    name, shape = "HAProxy", "event loop of two threads, Lua service"
    needs = ("haproxy",)
    threads = 2
    work = "burn(n, us)"

    def command(self):
        self.write("service.lua", SERVICE.replace("{dir}", str(self.dir)).replace("{work}", self.work))
        config = self.write("haproxy.cfg", CONFIG.format(
            dir=self.dir, port=self.port, threads=self.threads, each="-per-thread"))
        return ["haproxy", "-db", "-f", config]


class Yield(Haproxy):
    name, shape = "HAProxy yield", "Lua services that take turns between calls"
    work = "for _ = 1, 4 do burn(n, us / 4) core.yield() end"


class Proxy(Haproxy):
    name, shape = "HAProxy proxy", "Lua actions before and after a second HAProxy, which works too"
    front = """
    http-request lua.before
    http-response lua.after
    default_backend back
backend back
    http-reuse safe
    server back 127.0.0.1:{upstream}{speaks}
"""
    speaks = ""

    def prepare(self):
        self.upstream = servers.free_ports(["back"])["back"]
        work = "burn(n, us * 0.4)"
        self.write("back.lua", SERVICE.replace("{dir}", str(self.dir)).replace("{work}", work))
        self.spawn(["haproxy", "-db", "-f", self.write("back.cfg", CONFIG.format(
            dir=self.dir, port=self.upstream, threads=self.threads, each="-per-thread")
            .replace("service.lua", "back.lua").replace(str(self.upstream), f"{self.upstream}{self.speaks}"))])

    def command(self):
        self.write("service.lua", ACTIONS.replace("{dir}", str(self.dir)))
        text = CONFIG.format(dir=self.dir, port=self.port, threads=self.threads, each="-per-thread")
        text = text.replace("    http-request use-service lua.burn\n",
                            self.front.format(upstream=self.upstream, speaks=self.speaks))
        return ["haproxy", "-db", "-f", self.write("haproxy.cfg", text)]


class ProxyH2(Proxy):
    name, shape = "HAProxy proxy h2", "the same; the two speak HTTP/2, many streams a connection"
    speaks = " proto h2"


PROGRAMS = [Haproxy, Yield, Proxy, ProxyH2]
