# SPDX-License-Identifier: Apache-2.0
"""Apache httpd with each of its process models: mod_lua burns, or a CGI program does."""
import shutil

import servers
from program import BUILT, Program
from programs.nginx import burning_back, certificate

MODULES = "/usr/lib/apache2/modules"
CONFIG = """
ServerRoot {dir}
ServerName localhost
PidFile {dir}/httpd.pid
ErrorLog {dir}/httpd.error
User www-data
Group www-data
Listen 127.0.0.1:{port}
ListenBacklog 511
LoadModule mpm_{model}_module {modules}/mod_mpm_{model}.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule lua_module {modules}/mod_lua.so
{load}
DefaultRuntimeDir {dir}
Mutex file:{dir} default
LuaScope thread
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 5
{limits}
<Directory {dir}>
    Require all granted
    Options +ExecCGI
</Directory>
DocumentRoot {dir}/www
LuaMapHandler ^/burn$ {dir}/handler.lua
{more}
"""
HANDLER = """
local burn = package.loadlib("{dir}/burn_lua.so", "burn_lua")
function handle(r)
    local n, us = r.args:match("n=(%d+)&us=(%d+)")
    r.content_type = "text/plain"
    burn(n, us)
    r:puts("done\\n")
    return apache2.OK
end
"""
HOOKS = """
local burn = package.loadlib("{dir}/burn_lua.so", "burn_lua")
local function work(r, share)
    local n, us = r.args:match("n=(%d+)&us=(%d+)")
    burn(n, us * share)
    return apache2.DECLINED
end
function before(r) return work(r, 0.3) end
function after(r) return work(r, 0.2) end
"""
THREADS = "StartServers 2\nServerLimit 2\nThreadsPerChild 32\nMaxRequestWorkers 64"


class Apache(Program):
    model = "event"
    limits = THREADS
    modules = ()
    more = ""
    needs = ("/usr/sbin/apache2", f"{MODULES}/mod_lua.so")

    def configure(self, name, port, more):
        load = "".join(f"LoadModule {module}_module {MODULES}/mod_{module}.so\n"
                       for module in self.modules)
        return self.write(f"{name}.conf", CONFIG.format(
            dir=self.dir, port=port, model=self.model, modules=MODULES, load=load,
            limits=self.limits, more=more.format(dir=self.dir, upstream=self.upstream)
        ).replace("httpd.", f"{name}."))

    def prepare(self):
        (self.dir / "www").mkdir(mode=0o755)
        self.write("handler.lua", HANDLER.replace("{dir}", str(self.dir)))

    def command(self):
        return ["/usr/sbin/apache2", "-f", self.configure("httpd", self.port, self.more), "-DFOREGROUND"]

    def said(self):
        logs = [path.read_text() for path in self.dir.glob("*.error")]
        return super().said() + "".join(logs)[-1500:]


class Event(Apache):
    name, shape = "Apache event", "listener thread and workers; keep-alive requests change threads"


class Worker(Apache):
    name, shape, model = "Apache worker", "a thread a connection, fed by a listener", "worker"


class Prefork(Apache):
    name, shape, model = "Apache prefork", "a process a connection", "prefork"
    limits = "StartServers 16\nMinSpareServers 1\nMaxSpareServers 64\nMaxRequestWorkers 64"


class Https(Event):
    name, shape, protocol = "Apache https", "event, TLS", "https"
    modules = ("socache_shmcb", "ssl")
    more = """
SSLEngine on
SSLCertificateFile {dir}/cert.pem
SSLCertificateKeyFile {dir}/key.pem
"""

    def prepare(self):
        super().prepare()
        certificate(self.dir)


class H2(Https):
    recall, exception = 0, "a pool takes streams off its queue without a call: left unlabelled"
    name, shape, protocol, streams = "Apache h2", "h2 workers woken by the connection's thread", "h2", 4
    modules = ("socache_shmcb", "ssl", "http2")
    more = Https.more + "Protocols h2 http/1.1\n"


class H2Upgrade(Event):
    recall, exception = 0, H2.exception
    name, shape, protocol = "Apache h2 upgrade", "a connection's first request by HTTP/1", "h2upgrade"
    streams = 4
    modules = ("http2",)
    more = "Protocols h2c http/1.1\n"


class Proxy(Event):
    name, shape = "Apache proxy", "mod_proxy_http before another httpd that burns"
    modules = ("proxy", "proxy_http")
    more = "ProxyPass /front http://127.0.0.1:{upstream}/burn\n"
    path = "/front"

    def prepare(self):
        super().prepare()
        self.upstream = servers.free_ports(["back"])["back"]
        self.spawn(["/usr/sbin/apache2", "-f", self.configure("back", self.upstream, ""),
                    "-DFOREGROUND"])


class ProxyH2(Event):
    name, shape = "Apache proxy h2", "work before and after an nginx that works too, asked by mod_proxy_http2"
    needs = (*Event.needs, "nginx")
    exception = "with one request at a time, log hooks that another thread's next request overtakes (up to 9 % of " \
        "the work) wait for a trial that needs more to be passed"
    path = "/front"
    modules = ("proxy", "proxy_http2")
    more = """
ProxyPass /front h2c://127.0.0.1:{upstream}/burn
LuaHookFixups {dir}/hook.lua before
LuaHookLog {dir}/hook.lua after
"""

    def prepare(self):
        self.write("hook.lua", HOOKS.replace("{dir}", str(self.dir)))
        Apache.prepare(self)
        burning_back(self, 0.5)


class Cgi(Prefork):
    name, shape = "Apache CGI", "a process a request, by fork and exec"
    factor, tolerance = 10, 0.5
    modules = ("alias", "cgi", "env")
    path = "/cgi/burn_cgi"
    more = "ScriptAlias /cgi/ {dir}/cgi/\nPassEnv LD_PRELOAD\n"

    def prepare(self):
        super().prepare()
        (self.dir / "cgi").mkdir(mode=0o755)
        for name in ("burn_cgi", "libburn.so"):
            shutil.copy2(BUILT / name, self.dir / "cgi")
        variables = [key for key in self.room.environment() if key.startswith(("SPANPROF", "PYROSCOPE"))]
        self.more += "PassEnv " + " ".join(
            [*variables, "SPANPROF_SAMPLE_RATE", "PYROSCOPE_UPLOAD_INTERVAL",
             "PYROSCOPE_APPLICATION_NAME", "HOST_ROOM"]) + "\n"


PROGRAMS = [Event, Worker, Prefork, Https, H2, H2Upgrade, Proxy, ProxyH2, Cgi]
