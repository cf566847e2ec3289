import * as threetier from "threetier";

const web = new threetier.Stack("web", {
  cluster: { eks: "acme-dev" },
  database: { lifecycle: "disposable", port: 5433, allow: { "RDS.5": "one zone is enough", "RDS.6": "nobody reads them",
    "RDS.8": "dev is often deleted", "RDS.11": "a day is enough", "RDS.20": "nobody is on call", "RDS.21": "nobody is on call",
    "RDS.22": "nobody is on call", "RDS.26": "a day needs no plan" } },
  backend: {
    image: "ghcr.io/acme/backend:1.0.0",
    healthPath: "/readyz",
    connectionsPerPod: 6,
    migrate: ["alembic", "upgrade", "head"],
    replicas: { min: 2, max: 4 },
    env: { LOG_LEVEL: "debug" },
  },
  frontend: { image: "ghcr.io/acme/frontend:1.0.0", healthPath: "/healthz" },
});

export const { url, namespace, databaseIdentifier } = web;
