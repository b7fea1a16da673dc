// Copies what the page loads out of node_modules into vendor/, with licences and a list of hashes.
// Run it by `make console-vendor`, which puts node_modules in place by `npm ci` (and so checks the
// packages against package-lock.json) and takes it away afterwards.

import { createHash } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";

// The page has no import map, for that would be an inline script: a bare name becomes a path.
const FILES = [
  { package: "preact", from: "dist/preact.mjs", to: "preact.js" },
  { package: "preact", from: "hooks/dist/hooks.mjs", to: "hooks.js", bare: "preact", path: "./preact.js" },
  { package: "preact", from: "LICENSE", to: "preact.LICENSE" },
  { package: "htm", from: "dist/htm.mjs", to: "htm.js" },
  { package: "htm", from: "LICENSE", to: "htm.LICENSE" },
];

const lock = JSON.parse(await readFile("package-lock.json", "utf8"));
await rm("vendor", { recursive: true, force: true });
await mkdir("vendor");

const listed = [];
for (const file of FILES) {
  const folder = `node_modules/${file.package}`;
  let text = await readFile(`${folder}/${file.from}`, "utf8");
  if (file.bare) text = text.replaceAll(`from"${file.bare}"`, `from"${file.path}"`);
  text = text.replace(/\n?\/\/# sourceMappingURL=.*\s*$/, "\n");
  await writeFile(`vendor/${file.to}`, text);
  const { version, integrity } = lock.packages[folder];
  const sha256 = createHash("sha256").update(text).digest("hex");
  listed.push({ file: file.to, package: file.package, version, integrity, from: file.from, sha256 });
}
await writeFile("vendor/vendored.json", `${JSON.stringify(listed, null, 1)}\n`);
