import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import fastifyStatic from "@fastify/static";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { notFound, problemOf, sendProblem } from "./problem.ts";

const UNBUILT = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Khu Xanh</title>
<h1>Khu Xanh</h1>
<p lang="vi">Trang web chưa được dựng. Chạy <code>npm run build:web</code> rồi khởi động lại. Dữ liệu vẫn có ở <a href="/api/docs">/api/docs</a>.</p>
<p>The page has not been built yet. Run <code>npm run build:web</code> and start again. The data is at <a href="/api/docs">/api/docs</a> meanwhile.</p>
</html>
`;

const NOT_FOUND = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Khu Xanh</title>
<h1>Khu Xanh</h1>
<p lang="vi">Không có trang nào ở địa chỉ này. <a href="/">Về trang tổng quan</a>.</p>
<p>There is no page at this address. <a href="/">Go to the overview</a>.</p>
</html>
`;

/** Serves the built page. It is one: what it shows stands in the search part, `/?…`; any other path is a mistake and told so. */
export async function page(app: FastifyInstance, webDir: string | undefined): Promise<void> {
  const isBuilt = webDir !== undefined && existsSync(join(webDir, "index.html"));
  if (isBuilt) {
    await app.register(fastifyStatic, {
      root: resolve(webDir),
      cacheControl: false,
      setHeaders(reply, path) {
        // Files under assets/ carry a hash in their name and never change.
        const isHashed = /[\\/]assets[\\/]/.test(path);
        reply.header("cache-control", isHashed ? "public, max-age=31536000, immutable" : "no-cache");
      },
    });
  }
  app.setNotFoundHandler((request: FastifyRequest, reply: FastifyReply) => {
    const path = request.url.split("?")[0] ?? "/";
    const isPage = (request.method === "GET" || request.method === "HEAD") && !/^\/api(\/|$)/.test(path);
    // A path with an extension was asked for by the page, one without by a person.
    if (!isPage || /\.[a-z0-9]{1,8}$/i.test(path)) {
      const error = notFound(`there is nothing at ${path.slice(0, 200)}`, "/api/docs lists what there is.");
      return sendProblem(reply, problemOf(error));
    }
    reply.type("text/html; charset=utf-8");
    return path === "/" ? reply.send(UNBUILT) : reply.code(404).send(NOT_FOUND);
  });
}
