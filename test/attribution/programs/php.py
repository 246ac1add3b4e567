# SPDX-License-Identifier: Apache-2.0
"""PHP-FPM behind nginx, both profiled; PHP burns by FFI."""
import glob

import servers
from program import Program
from programs import nginx

# Its name has its version.
FPM = next(iter(sorted(glob.glob("/usr/sbin/php-fpm*"))), "/usr/sbin/php-fpm")
POOL = """
[global]
pid = {dir}/fpm.pid
error_log = {dir}/fpm.error
daemonize = no
[www]
user = www-data
group = www-data
listen = 127.0.0.1:{port}
listen.backlog = 511
pm = static
pm.max_children = 8
access.log = {dir}/fpm.access
php_admin_value[ffi.enable] = true
php_admin_value[opcache.enable] = 1
"""
SCRIPT = """<?php
$ffi = FFI::cdef("void burn(unsigned n, unsigned us);", "{dir}/libburn.so");
{script}
"""


class Fpm(nginx.Nginx):
    name, shape = "PHP-FPM", "FastCGI from nginx, a process a request"
    needs = (FPM, *nginx.Nginx.needs)
    keep = ""
    http = "upstream fpm { server 127.0.0.1:{upstream}; {keepalive} }"
    locations = """location = /burn {
        access_by_lua_block { burn(0.2) }
        include /etc/nginx/fastcgi_params;
        fastcgi_param SCRIPT_FILENAME {dir}/burn.php;
        fastcgi_keep_conn {keep};
        fastcgi_pass fpm;
    }"""
    script = 'echo "done\\n"; $ffi->burn((int)$_GET["n"], (int)($_GET["us"] * 0.8));'

    def prepare(self):
        self.upstream = servers.free_ports(["fpm"])["fpm"]
        pool = self.write("fpm.conf", POOL.format(dir=self.dir, port=self.upstream))
        script = self.write("burn.php", SCRIPT.replace("{dir}", str(self.dir))
                            .replace("{script}", self.script))
        script.chmod(0o644)
        self.spawn([FPM, "-y", pool])
        self.locations = self.locations.replace("{keep}", "on" if self.keep else "off")
        self.http = self.http.replace("{keepalive}", self.keep)


class FpmKeep(Fpm):
    name, shape, keep = "PHP-FPM, kept connections", "FastCGI from nginx, many requests a connection", \
        "keepalive 2;"


class FpmFinish(Fpm):
    name, shape = "PHP-FPM finish_request", "half of the work after the answer was sent"
    script = """
    echo "done\\n"; $ffi->burn((int)$_GET["n"], (int)($_GET["us"] * 0.4));
    fastcgi_finish_request();
    $ffi->burn((int)$_GET["n"], (int)($_GET["us"] * 0.4));"""


PROGRAMS = [Fpm, FpmKeep, FpmFinish]
