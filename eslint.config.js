import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["**/dist/", "build/", "**/node_modules/"] },
  {
    files: ["**/*.ts"],
    extends: [...tseslint.configs.recommendedTypeChecked, ...tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      // A number in a message needs no String() around it.
      "@typescript-eslint/restrict-template-expressions": [
        "error",
        { allowNumber: true, allowBoolean: true },
      ],
      // An async function without await keeps a contract that other implementations need.
      "@typescript-eslint/require-await": "off",
      "@typescript-eslint/no-empty-function": "off",
      "no-restricted-imports": ["error", { patterns: ["@spoolwire/*/*"] }],
    },
  },
  {
    // Only files.ts touches the file system in dirq: everything else can be raced and failed in tests.
    files: ["packages/dirq/src/**/*.ts"],
    ignores: ["packages/dirq/src/files.ts"],
    rules: {
      "@typescript-eslint/no-restricted-imports": [
        "error",
        { paths: [{ name: "node:fs", allowTypeImports: true }, { name: "node:fs/promises" }] },
      ],
    },
  },
);
