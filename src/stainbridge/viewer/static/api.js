/** Talks to the server. Every error is one line for people. */

export class ServerError extends Error {
  constructor(line, status) {
    super(line);
    this.status = status;
  }
}

async function ask(method, path, body) {
  const options = { method, headers: {} };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  let reply;
  try {
    reply = await fetch(path, options);
  } catch {
    throw new ServerError("The viewer is not running any more. Start it again, and open its new link.", 0);
  }
  const content = reply.status === 204 ? null : await reply.json().catch(() => null);
  if (!reply.ok) throw new ServerError(content?.error ?? `The server answered ${reply.status}.`, reply.status);
  return content;
}

export const get = (path) => ask("GET", path);
export const put = (path, body) => ask("PUT", path, body);
export const post = (path, body = {}) => ask("POST", path, body);
export const remove = (path) => ask("DELETE", path);

/** Returns the path of a layer's own routes. */
export const layerPath = (caseId, layerId) => `/api/cases/${caseId}/layers/${layerId}`;

/** Moves points in full-resolution pixels between the fixed slide and a layer's own slide. */
export async function movePoints(caseId, layerId, points, to) {
  if (layerId === "fixed" || !points.length) return points;
  const reply = await post(`${layerPath(caseId, layerId)}/points`, { points, to });
  return reply.points;
}

/** Saves text as a file of the browser's user. */
export function download(name, text, type = "application/geo+json") {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
