import pulumi
import threetier

web = threetier.Stack("web",
    cluster={"eks": "acme-dev"},
    database={"lifecycle": "disposable", "port": 5433, "allow": {
        "RDS.5": "one zone is enough", "RDS.6": "nobody reads them", "RDS.8": "dev is often deleted", "RDS.11": "a day is enough",
        "RDS.20": "nobody is on call", "RDS.21": "nobody is on call", "RDS.22": "nobody is on call", "RDS.26": "a day needs no plan"}},
    backend={
        "image": "ghcr.io/acme/backend:1.0.0",
        "health_path": "/readyz",
        "connections_per_pod": 6,
        "migrate": ["alembic", "upgrade", "head"],
        "replicas": {"min": 2, "max": 4},
        "env": {"LOG_LEVEL": "debug"},
    },
    frontend={"image": "ghcr.io/acme/frontend:1.0.0", "health_path": "/healthz"})

pulumi.export("url", web.url)
pulumi.export("namespace", web.namespace)
pulumi.export("databaseIdentifier", web.database_identifier)
