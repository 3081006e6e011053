import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { formatMetrics, runProgram, runService, serviceOptions, type Metric } from "@spoolwire/program";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { freePort, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { takes } from "../../helpers/in-process.js";

describe("the text for Prometheus", () => {
  const counter = { name: "a_total", type: "counter", help: "How many." } as const;

  test("has help and type once a name, and the figures of a name together", () => {
    const other: Metric = { name: "b", type: "gauge", help: "How much.", value: 0.5 };
    const [one, two] = ["x", "y"].map((side, index): Metric => ({
      ...counter,
      value: index,
      labels: { side },
    }));
    expect(formatMetrics([one!, other, two!])).toBe(
      '# HELP a_total How many.\n# TYPE a_total counter\na_total{side="x"} 0\na_total{side="y"} 1\n' +
        "# HELP b How much.\n# TYPE b gauge\nb 0.5\n",
    );
  });

  test.each([
    ["\\", String.raw`a_total{at="\\"} 1`],
    ['"', String.raw`a_total{at="\""} 1`],
    ["\n", String.raw`a_total{at="\n"} 1`],
  ])("escapes %j in labels", (at, line) => {
    expect(formatMetrics([{ ...counter, value: 1, labels: { at } }])).toContain(`${line}\n`);
  });

  test.each([
    [NaN, "NaN"],
    [Infinity, "+Inf"],
    [-Infinity, "-Inf"],
  ])("writes %d as it demands", (value, text) => {
    expect(formatMetrics([{ ...counter, value }])).toContain(`a_total ${text}\n`);
  });
});

describe("--metrics", () => {
  let directory: string;
  let stdout = "";
  let stderr = "";
  beforeEach(() => {
    directory = temporaryDirectory("metrics");
    stdout = stderr = "";
    vi.spyOn(process.stdout, "write").mockImplementation(takes((text) => (stdout += text)));
    vi.spyOn(process.stderr, "write").mockImplementation(takes((text) => (stderr += text)));
  });
  afterEach(() => {
    vi.restoreAllMocks();
    removeDirectory(directory);
  });

  const spec = { name: "prog", version: "1", summary: "Does things.", options: serviceOptions };
  type Work = Parameters<typeof runService>[2];
  const run = (argv: readonly string[], work: Work) =>
    runProgram(spec, argv, async (invocation) => await runService(invocation, 1, work));

  async function get(
    target: object,
    path: string,
    method = "GET",
  ): Promise<{ status?: number; text: string }> {
    return await new Promise((resolve, reject) => {
      const asking = request({ ...target, path, method, agent: false }, (response) => {
        let text = "";
        response.on("data", (chunk) => (text += String(chunk)));
        response.on("end", () =>
          resolve({ ...(response.statusCode && { status: response.statusCode }), text }),
        );
      });
      asking.on("error", reject).end();
    });
  }

  test("answers at a port while the work lasts, and not after it", async () => {
    const port = await freePort();
    const status = await run(["--metrics", `${port}`], async (service) => {
      let ready = false;
      service.status = () => "3 of 5";
      service.isReady = () => ready;
      service.metrics = () => [{ name: "done_total", type: "counter", help: "Done.", value: 3 }];
      expect(await get({ port }, "/livez")).toEqual({ status: 200, text: "ok\n" });
      expect(await get({ port }, "/readyz")).toEqual({ status: 503, text: "3 of 5\n" });
      ready = true;
      expect(await get({ port }, "/readyz?verbose")).toEqual({ status: 200, text: "3 of 5\n" });
      const { text } = await get({ port }, "/metrics");
      expect(text).toContain("\ndone_total 3\n");
      expect(text).toMatch(/^process_resident_memory_bytes [1-9]\d*$/m);
      expect(JSON.parse((await get({ port }, "/status")).text)).toEqual({
        pid: process.pid,
        ready: true,
        status: "3 of 5",
        metrics: { done_total: 3 },
      });
      expect(await get({ port }, "/other")).toMatchObject({ status: 404 });
      expect(await get({ port }, "/livez", "POST")).toMatchObject({ status: 405 });
      return 7;
    });
    expect({ status, stderr }).toEqual({ status: 7, stderr: "" });
    await expect(get({ port }, "/livez")).rejects.toThrow("ECONNREFUSED");
  });

  test("lets a client go that says nothing", async () => {
    const port = await freePort();
    await run(["--metrics", `${port}`], async () => {
      const socket = connect(port, "127.0.0.1");
      await once(socket.resume(), "close", { signal: AbortSignal.timeout(15_000) });
      return 0;
    });
    expect(stderr).toBe("");
  });

  test("answers at a socket that only its account and group can use, in the place of a dead one", async () => {
    const socketPath = join(directory, "socket");
    const crash = `net.createServer().listen(${JSON.stringify(socketPath)}, () => process.kill(process.pid, 9))`;
    spawnSync(process.execPath, ["-e", crash]);
    expect(existsSync(socketPath)).toBe(true);
    const status = await run(["--metrics", `unix:${socketPath}`], async () => {
      expect(statSync(socketPath).mode & 0o777).toBe(0o660);
      expect(await get({ socketPath }, "/livez")).toMatchObject({ status: 200 });
      return 0;
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(existsSync(socketPath)).toBe(false);
  });

  test("leaves a file alone that is no socket", async () => {
    const file = join(directory, "important");
    writeFileSync(file, "text");
    const status = await run(["--metrics", `unix:${file}`], () => Promise.reject(new Error("no work")));
    expect({ status, stderr }).toEqual({
      status: 69,
      stderr: expect.stringMatching(/^prog: listen EADDRINUSE: [^\n]*important\n$/) as string,
    });
    expect(readFileSync(file, "utf8")).toBe("text");
  });

  test("is told by --status --json, if it is given there too", async () => {
    const port = await freePort();
    const args = ["--pidfile", join(directory, "pid"), "--metrics", `${port}`];
    await run(args, async (service) => {
      service.status = () => "well";
      expect(await run([...args, "--status", "--json"], () => Promise.reject(new Error("no work")))).toBe(0);
      return 0;
    });
    expect(JSON.parse(stdout)).toMatchObject({
      program: "prog",
      active: true,
      pid: process.pid,
      report: { status: "well", ready: true },
    });
    stdout = "";
    expect(await run([...args, "--status", "--json"], () => Promise.reject(new Error("no work")))).toBe(3);
    expect(JSON.parse(stdout)).toEqual({
      program: "prog",
      active: false,
      words: "does not seem to be running (no pid file)",
    });
  });

  test("refuses a path that the kernel would cut", async () => {
    const status = await run(["--metrics", `unix:${join(directory, "x".repeat(100))}`], () =>
      Promise.reject(new Error("no work")),
    );
    expect(status).toBe(64);
    expect(stderr).toMatch(/Expected the path of --metrics to have at most 107 bytes, got \d+ /);
    expect(readdirSync(directory)).toEqual([]);
  });

  test.each(["0.0.0.0:9100", "127.0.0.256:1", "example.org:9100", "70000", "unix:", "here"])(
    "refuses %s",
    async (address) => {
      const status = await run(["--metrics", address], () => Promise.reject(new Error("no work")));
      expect(status).toBe(64);
      expect(stderr).toContain(
        `Expected --metrics to be PORT, a loopback HOST:PORT or unix:PATH, got "${address}"`,
      );
    },
  );

  test("says which address is taken", async () => {
    const port = await freePort();
    const other = createServer().listen(port, "127.0.0.1");
    const status = await run(["--metrics", `${port}`], () => Promise.reject(new Error("no work")));
    expect(status).toBe(69);
    expect(stderr).toMatch(new RegExp(`EADDRINUSE.*${port}`));
    other.close();
  });
});
