import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import Fastify, { type FastifyInstance } from "fastify";
import { createJsonSchemaTransform, jsonSchemaTransformObject, validatorCompiler } from "fastify-type-provider-zod";
import { KhuXanhError } from "../../core/errors.ts";
import { attentionRoutes } from "./attention.ts";
import { blendedRoutes } from "./blended.ts";
import { completenessRoutes } from "./completeness.ts";
import type { ApiDeps } from "./deps.ts";
import { emissionRoutes } from "./emissions.ts";
import { energyRoutes } from "./energy.ts";
import { liveRoutes } from "./live.ts";
import { metricsRoutes } from "./metrics.ts";
import { page } from "./page.ts";
import { placeRoutes } from "./places.ts";
import { problemOf, sendProblem } from "./problem.ts";
import { readingRoutes } from "./readings.ts";
import { restatementRoutes } from "./restatements.ts";
import { Spacings } from "./state.ts";
import { traceRoutes } from "./trace.ts";

/** Longest path parameter: the id of a figure, see figureId.ts. */
const PARAM_MAX = 1100;

/**
 * Nothing from any other host, no frames, no plug-ins. Style attributes are allowed because charts and the API browser set
 * them; scripts come from files of ours only.
 */
const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": [
    "default-src 'self'",
    "img-src 'self' data: blob:",
    "style-src 'self' 'unsafe-inline'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; "),
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
};

/**
 * The zone's HTTP API and page, reading only. Not listening yet: the caller gives it an address, which the configuration
 * has already confined to loopback. Closing it ends the live streams and leaves nothing.
 */
export async function buildApi(deps: ApiDeps): Promise<FastifyInstance> {
  const app = Fastify({ logger: false, forceCloseConnections: true, routerOptions: { maxParamLength: PARAM_MAX } });
  app.setValidatorCompiler(validatorCompiler);
  // Answers are made by our own typed code; checking every point of them again would cost more than making them.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.addHook("onRequest", async (_request, reply) => {
    reply.headers(HEADERS);
  });
  app.addHook("onSend", async (request, reply) => {
    if (request.url.startsWith("/api/") && !reply.hasHeader("cache-control")) reply.header("cache-control", "no-store");
  });
  app.setErrorHandler((error, request, reply) => {
    const document = problemOf(error);
    if (document.status >= 500) logFailure(deps, request.url, error);
    return sendProblem(reply, document);
  });

  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Khu Xanh",
        version: deps.version,
        description:
          "Energy and emissions of an industrial zone. Times are ISO 8601 with offset; units are UCUM; every figure says " +
          "how complete it is. Errors are RFC 9457 problem documents with `code` and `hint`.",
      },
      tags: [
        { name: "figures", description: "Energy, emissions, and why" },
        { name: "places", description: "Zone, sites, meters, gateways" },
        { name: "live", description: "Values as they come" },
        { name: "server", description: "The server itself" },
      ],
    },
    transform: createJsonSchemaTransform({ zodToJsonConfig: { target: "draft-2020-12" } }),
    transformObject: jsonSchemaTransformObject,
  });
  await app.register(swaggerUi, {
    routePrefix: "/api/docs",
    uiConfig: { validatorUrl: null, defaultModelsExpandDepth: 0 },
  });
  app.get("/api/openapi.json", { schema: { hide: true } }, async () => app.swagger());

  const spacings = new Spacings();
  const stopObserving = deps.live.onChange(() => spacings.observe(deps.live));
  app.addHook("onClose", async () => stopObserving());

  placeRoutes(app, deps, spacings);
  energyRoutes(app, deps);
  emissionRoutes(app, deps);
  traceRoutes(app, deps);
  restatementRoutes(app, deps);
  blendedRoutes(app, deps);
  attentionRoutes(app, deps, spacings);
  completenessRoutes(app, deps);
  readingRoutes(app, deps);
  const hub = liveRoutes(app, deps, spacings);
  metricsRoutes(app, deps, spacings, hub);
  await page(app, deps.webDir);
  await app.ready();
  return app;
}

function logFailure(deps: ApiDeps, url: string, error: unknown): void {
  const code = error instanceof KhuXanhError ? error.code : "INTERNAL";
  const stack = error instanceof Error ? error.stack : String(error);
  deps.log.error("api-request-failed", { url: url.slice(0, 500), code, stack });
}
