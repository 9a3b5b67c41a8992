/** What is drawn over the slides: annotations, a grid, a map, the point under the other cursor. */

const GRID = "#0b6d75";

/** Returns a Path2D of a GeoJSON geometry, in its own pixels. */
export function geometryPath(geometry) {
  const path = new Path2D();
  const ring = (positions) => positions.forEach(([x, y], n) => (n ? path.lineTo(x, y) : path.moveTo(x, y)));
  const polygon = (rings) => rings.forEach((positions) => { ring(positions); path.closePath(); });
  const shapes = {
    Polygon: (c) => polygon(c),
    MultiPolygon: (c) => c.forEach(polygon),
    LineString: (c) => ring(c),
    MultiLineString: (c) => c.forEach(ring),
  };
  shapes[geometry.type]?.(geometry.coordinates);
  return path;
}

/** Returns what can be drawn of a GeoJSON document. */
export function parseAnnotations(data) {
  const features = Array.isArray(data) ? data : (data.features ?? [data]);
  const shapes = [];
  for (const feature of features) {
    const geometry = feature.geometry ?? feature;
    const parts = geometry.type === "GeometryCollection" ? geometry.geometries : [geometry];
    const colour = feature.properties?.classification?.color ?? feature.properties?.color;
    const style = Array.isArray(colour) ? `rgb(${colour.join(" ")})` : "#b3005e";
    for (const part of parts) {
      const points = part.type === "Point" ? [part.coordinates] : part.type === "MultiPoint" ? part.coordinates : [];
      shapes.push({ path: points.length ? null : geometryPath(part), points, style });
    }
  }
  return shapes;
}

/** Draws everything on a canvas over a view. */
export function drawOver(canvas, view, layers) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  const placement = view.placement();
  if (!placement) return;
  const scale = placement.scale * ratio;
  context.setTransform(scale, 0, 0, scale, placement.x * ratio, placement.y * ratio);
  const pixel = 1 / placement.scale;
  if (layers.map) {
    context.globalAlpha = 1;
    context.drawImage(layers.map, 0, 0, view.plane.width, view.plane.height);
  }
  if (layers.grid) {
    context.strokeStyle = GRID;
    context.lineWidth = 1.4 * pixel;
    context.stroke(layers.grid);
  }
  for (const { path, points, style } of layers.shapes) {
    context.strokeStyle = style;
    context.fillStyle = style;
    context.lineWidth = 2.5 * pixel;
    if (path) context.stroke(path);
    for (const [x, y] of points) {
      context.beginPath();
      context.arc(x, y, 5 * pixel, 0, 2 * Math.PI);
      context.fill();
    }
  }
  for (const [from, to] of layers.errors) {
    context.strokeStyle = "#c2185b";
    context.lineWidth = 2 * pixel;
    context.beginPath();
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
  }
  if (layers.cursor) drawCross(context, layers.cursor, pixel);
}

function drawCross(context, [x, y], pixel) {
  for (const [width, style] of [[4, "#ffffff"], [2, "#1f1d1a"]]) {
    context.strokeStyle = style;
    context.lineWidth = width * pixel;
    context.beginPath();
    context.moveTo(x - 12 * pixel, y);
    context.lineTo(x + 12 * pixel, y);
    context.moveTo(x, y - 12 * pixel);
    context.lineTo(x, y + 12 * pixel);
    context.stroke();
  }
}

/** Returns a Path2D of polylines. */
export function linesPath(lines) {
  const path = new Path2D();
  for (const line of lines) line.forEach(([x, y], n) => (n ? path.lineTo(x, y) : path.moveTo(x, y)));
  return path;
}
