# SPDX-License-Identifier: Apache-2.0
"""nghttpd, which serves files by HTTP/2 alone and works on none: what is preloaded burns as it reads them."""
from program import Program
from programs.nginx import certificate
from score import cost_us


class Nghttpd(Program):
    name, shape, protocol = "nghttpd", "event loops of two threads, a stream a connection", "h2c"
    needs = ("nghttpd",)
    path = "/burn/"
    tls = ("--no-tls",)

    @property
    def env(self):
        return {"LD_PRELOAD": f"{self.room.build.library} {self.dir}/burn_file.so"}

    def prepare(self):
        (self.dir / "burn").mkdir(mode=0o755)
        for number in range(2 * self.slots):
            self.write(f"burn/{number}", f"burn {number} {cost_us(number)}\n")

    def command(self):
        return ["nghttpd", "-a", "127.0.0.1", "-n", 2, "-d", self.dir, *self.tls, self.port,
                *(() if self.tls else (self.dir / "key.pem", self.dir / "cert.pem"))]


class Streams(Nghttpd):
    name, shape, streams = "nghttpd streams", "4 streams a connection", 4
    recall, exception = 0, "the answers of several streams go out in one write: left unlabelled"


class Tls(Nghttpd):
    name, shape, protocol = "nghttpd TLS", "the same, TLS", "h2"
    tls = ()

    def prepare(self):
        super().prepare()
        certificate(self.dir)


PROGRAMS = [Nghttpd, Streams, Tls]
