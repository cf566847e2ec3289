import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [react()],
  // While developing, the backend of this machine answers; in the cluster
  // NGINX does this, and the page knows relative paths only.
  server: { proxy: { "/api": "http://127.0.0.1:8000" } },
  test: { environment: "jsdom", setupFiles: "src/setup.ts" },
});
