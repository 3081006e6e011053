// An agent that a broker's certificate or its own password keeps away: it says why, and is there when that is right.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DqsQueue, Message } from "@spoolwire/message";
import { expect, test } from "vitest";
import { inMemory, removeDirectory, temporaryDirectory } from "../helpers/broker.js";
import { makeCertificates } from "../helpers/certificates.js";
import { onEachBroker } from "../helpers/each-broker.js";
import { start } from "../helpers/programs.js";
import { requires } from "../helpers/requirements.js";
import { startTlsFront } from "../helpers/tls-front.js";

const until = (condition: () => boolean) => expect.poll(condition, { timeout: 20_000 }).toBe(true);

onEachBroker((broker) => {
  test.runIf(requires("openssl"))(
    "an agent goes on when the broker's certificate is put right, and its own password in its file",
    { timeout: 60_000 },
    async () => {
      const { port, user, auth, password } = broker();
      const directory = temporaryDirectory("refused", inMemory);
      const { ca, otherCa, server } = makeCertificates(directory);
      // An authority's own certificate, of whom nobody has been told.
      const wrong = { cert: otherCa, key: otherCa.replace(/pem$/, "key") };
      await using front = await startTlsFront(port, wrong);
      const queue = new DqsQueue({ path: join(directory, "queue") });
      queue.addMessage(new Message({ header: { destination: "/queue/refused" }, body: "at last" }));
      const secret = join(directory, "secret");
      writeFileSync(secret, `plain name=${user} pass=0ld\n`);
      const agent = start("stompclt", [
        ...["--incoming-queue", `path=${queue.path}`, "--loop", "--remove", "--reliable"],
        ...["--outgoing-broker-uri", `failover:(stomp+ssl://127.0.0.1:${front.port})?maxReconnectDelay=100`],
        ...["--outgoing-broker-auth", `x509 ca=${ca}`, "--outgoing-broker-auth", `file=${secret}`],
      ]);
      let told = "";
      agent.child.stderr?.on("data", (text) => (told += String(text)));

      await until(() => front.attempts >= 5);
      expect(told).toMatch(
        /^stompclt: warning: Cannot connect to stomp\+ssl:\/\/127\.0\.0\.1:\d+: .*certificate.*; trying again until it is there\n$/,
      );
      front.show(server);
      await until(() => /(refuse|invalid).*; still trying\n$/i.test(told));
      expect(queue.count()).toBe(1);
      writeFileSync(secret, `${auth}\n`);
      await until(() => queue.count() === 0);
      agent.child.kill("SIGTERM");
      const { status, stderr } = await agent.done;
      expect(status, stderr).toBe(0);
      expect(stderr).toMatch(/is back after [\d.]+ s\n$/);
      // Each reason once, and no secret.
      const lines = stderr.trimEnd().split("\n");
      expect(lines.length).toBeLessThanOrEqual(4);
      expect(new Set(lines).size).toBe(lines.length);
      expect(stderr).not.toContain("0ld");
      expect(stderr).not.toContain(password);
      removeDirectory(directory);
    },
  );
});
