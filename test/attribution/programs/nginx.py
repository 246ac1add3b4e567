# SPDX-License-Identifier: Apache-2.0
"""nginx: Lua burns in the phases of a request, so that its own phases are what is told apart."""
import signal
import subprocess

import servers
from program import BUILT, Program

MODULES = "/usr/share/nginx/modules"
CONFIG = """
load_module {modules}/ndk_http_module.so;
load_module {modules}/ngx_http_lua_module.so;
{load}
daemon off;
{user}
worker_processes 2;
pid {dir}/{name}.pid;
error_log {dir}/{name}.error notice;
events {{ worker_connections 1024; }}
http {{
    access_log {dir}/{name}.access;
    client_body_temp_path {dir}/body;
    proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi;
    scgi_temp_path {dir}/scgi;
    keepalive_requests 1000000;
    init_by_lua_block {{
        local ffi = require "ffi"
        ffi.cdef "void burn(unsigned n, unsigned us);"
        local library = ffi.load("{dir}/libburn.so")
        function burn(share)
            library.burn(tonumber(ngx.var.arg_n), tonumber(ngx.var.arg_us) * share)
        end
    }}
    {http}
    server {{
        listen 127.0.0.1:{port} {listen};
        {server}
        {locations}
    }}
}}
"""
CONTENT = 'location = /burn { content_by_lua_block { burn(1) ngx.say("done") } }'
TLS = "ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem;"


def certificate(directory):
    """cert.pem and key.pem, good for a day."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-keyout", directory / "key.pem", "-out", directory / "cert.pem",
                    "-days", "1", "-subj", "/CN=localhost"], check=True, capture_output=True)
    (directory / "key.pem").chmod(0o644)


def burning_back(program, share):
    """Starts an nginx behind program, at program.upstream, that speaks HTTP/2 and burns that share."""
    location = 'location = /burn { content_by_lua_block { burn(%s) ngx.say("done") } }' % share
    program.upstream = servers.free_ports(["back"])["back"]
    program.write("back.conf", CONFIG.format(
        load="", modules=MODULES, name="back", port=program.upstream, listen="http2", user="user www-data;",
        http="", server="", locations=location, dir=program.dir))
    program.spawn(["nginx", "-c", program.dir / "back.conf", "-e", program.dir / "back.error"])


class Nginx(Program):
    name, shape = "nginx", "event loop, content phase"
    needs = ("nginx", f"{MODULES}/ngx_http_lua_module.so")
    quit = signal.SIGQUIT
    load = listen = http = server = ""
    locations = CONTENT

    def configure(self, name, port, locations):
        fill = {"dir": self.dir, "upstream": self.upstream}
        text = CONFIG.format(
            load=self.load, modules=MODULES, name=name, port=port, listen=self.listen, user="user www-data;",
            http=self.fill(self.http, fill), server=self.fill(self.server, fill),
            locations=self.fill(locations, fill), dir=self.dir)
        return self.write(f"{name}.conf", text)

    @staticmethod
    def fill(text, values):
        """Not format(): Lua has braces of its own."""
        for key, value in values.items():
            text = text.replace("{" + key + "}", str(value))
        return text

    def argv(self, name):
        return ["nginx", "-c", self.dir / f"{name}.conf", "-e", self.dir / f"{name}.error"]

    def command(self):
        self.configure("nginx", self.port, self.locations)
        return self.argv("nginx")

    def said(self):
        logs = [path.read_text() for path in self.dir.glob("*.error")]
        return super().said() + "".join(log for log in logs if "[e" in log or "[a" in log)[-2000:]


class Static(Nginx):
    name, shape = "nginx static", "a file, burning in header filter and log phase"
    path = "/file"
    locations = """location = /file {
        root {dir}/www;
        header_filter_by_lua_block { burn(0.6) }
        log_by_lua_block { burn(0.4) }
    }"""

    def prepare(self):
        (self.dir / "www").mkdir(mode=0o755)
        (self.dir / "www" / "file").write_bytes(b"x" * 30000)


class Timers(Nginx):
    recall, exception = 0, "requests take turns without a call: detected, and left unlabelled"
    name, shape = "nginx timers", "burn, sleep 5 ms, burn: requests interleave on a worker"
    locations = """location = /burn { content_by_lua_block {
        burn(0.5) ngx.sleep(0.005) burn(0.5) ngx.say("done") } }"""


class Body(Nginx):
    name, shape = "nginx streaming", "four parts, each flushed, burning between"
    locations = """location = /burn { content_by_lua_block {
        for _ = 1, 4 do burn(0.25) ngx.say("part") ngx.flush(true) end } }"""


class Proxy(Nginx):
    name, shape = "nginx proxy", "before and after a pooled upstream, which burns too"
    http = "upstream back { server 127.0.0.1:{upstream}; keepalive 32; }"
    locations = """location = /burn {
        access_by_lua_block { burn(0.3) }
        header_filter_by_lua_block { burn(0.2) }
        log_by_lua_block { burn(0.1) }
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_pass http://back;
    }"""
    back = 'location = /burn { content_by_lua_block { burn(0.4) ngx.say("done") } }'

    def prepare(self):
        self.upstream = servers.free_ports(["back"])["back"]
        self.configure("back", self.upstream, self.back)
        self.spawn(self.argv("back"))


class ProxyFresh(Proxy):
    name, shape = "nginx proxy, fresh", "before and after an upstream of its own, which burns too"
    http = "upstream back { server 127.0.0.1:{upstream}; }"


class Cosocket(Proxy):
    name, shape = "nginx Lua sockets", "Lua asks another nginx over a socket of its own, kept or not"
    locations = """location = /burn { content_by_lua_block {
        burn(0.3)
        local socket = ngx.socket.tcp()
        assert(socket:connect("127.0.0.1", {upstream}))
        local context = ngx.var.http_traceparent
        socket:send("GET " .. ngx.var.request_uri .. " HTTP/1.1\\r\\nHost: back\\r\\n" ..
            (context and "traceparent: " .. context .. "\\r\\n" or "") .. "\\r\\n")
        repeat local line = socket:receive() until not line or line == ""
        local size = tonumber(socket:receive(), 16)
        socket:receive(size + 2 + 5)
        if ngx.var.arg_n % 4 < 2 then socket:setkeepalive(5000, 32) else socket:close() end
        burn(0.3)
        ngx.say("done")
    } }"""


class GrpcPass(Proxy):
    name, shape = "nginx grpc_pass", "before and after a pooled upstream by HTTP/2, a stream a connection at a time"
    back_listen, scheme = "http2", "grpc"
    locations = """location = /burn {
        access_by_lua_block { burn(0.3) }
        header_filter_by_lua_block { burn(0.2) }
        log_by_lua_block { burn(0.1) }
        grpc_pass {scheme}://back;
    }"""

    def prepare(self):
        self.locations = self.locations.replace("{scheme}", self.scheme)
        own, self.listen = self.listen, self.back_listen
        super().prepare()
        self.listen = own


class GrpcPassUntold(GrpcPass):
    name, shape = "nginx grpc_pass, untold", "the same; the other gets no trace context and only waits"
    locations = GrpcPass.locations.replace("0.3", "0.5").replace("0.2", "0.4").replace(
        "grpc_pass", 'grpc_set_header traceparent ""; grpc_pass')
    back = 'location = /burn { content_by_lua_block { ngx.sleep(0.004) ngx.say("done") } }'


class GrpcPassTls(GrpcPass):
    name, shape = "nginx grpc_pass TLS", "the same, over TLS"
    back_listen, scheme, server = "ssl http2", "grpcs", TLS

    def prepare(self):
        certificate(self.dir)
        super().prepare()


class Perl(Nginx):
    name, shape = "nginx Perl", "event loop, content phase in Perl"
    needs = (*Nginx.needs, f"{MODULES}/ngx_http_perl_module.so", str(BUILT / "burn_perl.so"))
    load = f"load_module {MODULES}/ngx_http_perl_module.so;"
    http = "perl_modules {dir}; perl_require Burn.pm;"
    locations = """location = /burn { perl 'sub {
        my $r = shift;
        Burn::burn($1, $2) if $r->args =~ /n=(\\d+)&us=(\\d+)/;
        $r->send_http_header("text/plain");
        $r->print("done\\n");
        return OK;
    }'; }"""

    def prepare(self):
        self.write("Burn.pm", """package Burn;
            use DynaLoader;
            my $library = DynaLoader::dl_load_file("{dir}/burn_perl.so", 0) or die DynaLoader::dl_error();
            DynaLoader::dl_install_xsub("Burn::burn", DynaLoader::dl_find_symbol($library, "xs_burn"));
            1;
            """.replace("{dir}", str(self.dir)))


class Https(Nginx):
    name, shape, protocol = "nginx https", "event loop, TLS", "https"
    listen, server = "ssl", TLS

    def prepare(self):
        certificate(self.dir)


class EarlyData(Https):
    name, shape = "nginx https, early data", "a connection a request, whose head comes before the handshake's end"
    protocol = "https0rtt"
    server = TLS + "ssl_protocols TLSv1.3; ssl_early_data on;"


class H2(Https):
    name, shape, protocol, streams = "nginx h2", "event loop, TLS, 4 streams a connection", "h2", 4
    listen = "ssl http2"


class H2c(Nginx):
    name, shape, protocol, streams = "nginx h2c", "event loop, 4 streams a connection", "h2c", 4
    listen = "http2"


PROGRAMS = [Nginx, Static, Timers, Body, Proxy, ProxyFresh, Cosocket, GrpcPass, GrpcPassUntold, GrpcPassTls,
            Perl, Https, EarlyData, H2, H2c]
