import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks",
    // Brokers and fault tests share the machine with the tests: more at once makes them late, not fast.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // The packages are tested as their users get them: node loads their dist, vitest does not transform it.
    server: { deps: { external: [/\/packages\/[^/]+\/dist\//] } },
  },
});
