# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL with contexts in comments of its statements, and redis, to which nobody tells any."""
import glob
import os
import shutil
import signal
import subprocess

from program import BUILT, Program

BIN = next(iter(sorted(glob.glob("/usr/lib/postgresql/*/bin"))), "/usr/lib/postgresql/bin")
FUNCTION = str(BUILT / "burn_pg.so")


class Postgres(Program):
    name, shape, protocol = "PostgreSQL", "a process a connection, comment in a simple query", "pg"
    needs = (f"{BIN}/postgres", f"{BIN}/initdb", FUNCTION)
    quit = signal.SIGINT  # fast
    path = "burn"

    @property
    def user(self):
        return "postgres" if os.geteuid() == 0 else None

    def tool(self, *argv):
        done = subprocess.run(list(map(str, argv)), user=self.user, capture_output=True, text=True,
                              cwd=self.dir, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr

    def prepare(self):
        data = self.data = self.dir / "data"
        data.mkdir(mode=0o700)
        if self.user:
            shutil.chown(data, self.user)
        self.tool(f"{BIN}/initdb", "-D", data, "-A", "trust", "-U", "postgres", "-N",
                  "--no-instructions")
        sql = (f"CREATE FUNCTION burn(integer, integer) RETURNS integer LANGUAGE c "
               f"AS '{self.dir}/burn_pg.so', 'burn_pg';\n")
        sql += ("CREATE FUNCTION sleeper(integer, integer) RETURNS integer LANGUAGE plpgsql AS "
                "'BEGIN PERFORM burn($1, $2 / 2); PERFORM pg_sleep(0.002); "
                "RETURN burn($1, $2 / 2); END';\n")
        single = subprocess.run([f"{BIN}/postgres", "--single", "-j", "-D", str(data), "postgres"],
                                user=self.user, input=sql.replace(";\n", ";\n\n"), text=True,
                                cwd=self.dir, capture_output=True, check=False, timeout=60)
        assert single.returncode == 0 and "ERROR" not in single.stderr, single.stderr

    def command(self):
        return [f"{BIN}/postgres", "-D", self.data, "-p", self.port, "-c", "listen_addresses=127.0.0.1",
                "-c", f"unix_socket_directories={self.dir}", "-c", "fsync=off", "-c",
                f"max_connections={self.slots + 10}"]

    def listens(self, port):
        """It does before it takes queries."""
        return super().listens(port) and "ready to accept connections" in self.said()


class Extended(Postgres):
    name, shape, protocol = "PostgreSQL extended", "Parse, Bind and Execute in one write", "pgx"


class Prepared(Postgres):
    name, shape, protocol = "PostgreSQL prepared", "a statement prepared for each request, then executed", \
        "pgprepared"


class Kept(Postgres):
    recall, exception = 0, "a statement's comment is that of the request that prepared it: those that execute " \
        "it later carry none"
    name, shape, protocol = "PostgreSQL kept", "a statement prepared once for all of a connection's requests", \
        "pgkept"


class Sleeps(Postgres):
    name, shape, path = "PostgreSQL sleep", "burn, pg_sleep, burn in one query", "sleeper"


class Mariadb(Program):
    name, shape, protocol = "MariaDB", "a thread a connection, comment in a query", "mariadb"
    needs = ("mariadbd", "mariadb-install-db")
    handling = "one-thread-per-connection"

    @property
    def user(self):
        return "mysql" if os.geteuid() == 0 else None

    def prepare(self):
        self.data, self.scratch = self.dir / "data", self.dir / "scratch"
        for path in self.data, self.scratch:
            path.mkdir(mode=0o700)
            if self.user:
                shutil.chown(path, self.user)
        # A server that starts removes what others have in the same place.
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={self.data}", "--skip-test-db",
                        "--auth-root-authentication-method=normal"], user=self.user, check=True,
                       capture_output=True, timeout=60, env=os.environ | {"TMPDIR": str(self.scratch)})
        self.write("init.sql", "CREATE FUNCTION burn_udf RETURNS INTEGER SONAME 'burn_udf.so';\n")

    def command(self):
        return ["mariadbd", "--no-defaults", f"--datadir={self.data}", f"--tmpdir={self.scratch}",
                f"--plugin-dir={self.dir}",
                f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self.dir}/mariadb.sock",
                f"--init-file={self.dir}/init.sql", f"--thread-handling={self.handling}",
                f"--max-connections={self.slots + 10}", "--back-log=512", "--connect-timeout=60",
                "--innodb-flush-log-at-trx-commit=0",
                "--log-warnings=1"]  # else each look whether it listens is told, and hides that it does

    def listens(self, port):
        return super().listens(port) and "ready for connections" in self.said()


class MariadbPrepared(Mariadb):
    name, shape, protocol = "MariaDB prepared", Prepared.shape, "mariadbprepared"


class MariadbKept(Mariadb):
    recall, exception = 0, Kept.exception
    name, shape, protocol = "MariaDB kept", Kept.shape, "mariadbkept"


class MariadbPool(Mariadb):
    name, shape, handling = "MariaDB pool", "a pool of threads that take ready connections", \
        "pool-of-threads"


class Redis(Program):
    name, shape = "redis", "values that look like request heads; nobody tells it any context"
    protocol = "redis"
    needs = ("redis-server",)
    burns, one_load = False, True

    def command(self):
        return ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--save", "",
                "--appendonly", "no", "--dir", self.dir]


PROGRAMS = [Postgres, Extended, Prepared, Kept, Sleeps, Mariadb, MariadbPrepared, MariadbKept, MariadbPool, Redis]
