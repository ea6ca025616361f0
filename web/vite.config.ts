// Builds the page into dist, each file compressed: the program serves them as they are, and nothing else.
import { readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";

/** Replaces each file of dist by itself, compressed. */
function compressed(): Plugin {
  const replace = (directory: string): void => {
    for (const name of readdirSync(directory)) {
      const path = join(directory, name);
      if (statSync(path).isDirectory()) {
        replace(path);
      } else {
        writeFileSync(`${path}.gz`, gzipSync(readFileSync(path), { level: 9 }));
        rmSync(path);
      }
    }
  };
  return { name: "compressed", closeBundle: () => replace("dist") };
}

export default defineConfig({
  plugins: [compressed()],
  // npx vite shows the page as it is written, with what a process of this machine has.
  server: { proxy: { "/api": { target: process.env["OMPHALOS_PAGE"] ?? "http://127.0.0.1:9180", changeOrigin: true } } },
  build: {
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    // One name each, whatever is in them: the program tells browsers by a tag whether they have changed.
    rollupOptions: {
      output: {
        entryFileNames: "page.js",
        chunkFileNames: "[name].js",
        assetFileNames: "page[extname]",
      },
    },
  },
});
