// How much two faces of one recording look alike, from a few small pictures of each.

const SIDE = 20; // pixels of a face, across and down
const HUES = 5; // steps of red and of green in the share of colour
const LIGHTS = 4;
const WEIGHTS = { face: 0.4, hair: 0.25, clothes: 0.35 };

/** What was seen of one track. */
export class FaceLook {
  views = [];
  #canvas = new OffscreenCanvas(SIDE, SIDE);

  /** Take a look at a picture or a video as it stands; `box` in parts of its width and height. */
  add(picture, box) {
    const [wide, high] = [picture.videoWidth ?? picture.width, picture.videoHeight ?? picture.height];
    const [x, y, width, height] = [box.x * wide, box.y * high, box.width * wide, box.height * high];
    const pixels = (left, top, across, down) => {
      const [from, to] = [Math.max(0, top), Math.min(high, top + down)];
      const [begin, end] = [Math.max(0, left), Math.min(wide, left + across)];
      if (to - from < 0.4 * down || end - begin < 0.4 * across) return null; // outside of the picture
      const context = this.#canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(picture, begin, from, end - begin, to - from, 0, 0, SIDE, SIDE);
      return context.getImageData(0, 0, SIDE, SIDE).data;
    };
    this.views.push({
      face: shading(pixels(x + 0.1 * width, y + 0.1 * height, 0.8 * width, 0.8 * height)),
      hair: colours(pixels(x, y - 0.35 * height, width, 0.4 * height)),
      clothes: colours(pixels(x - 0.3 * width, y + 1.25 * height, 1.6 * width, 0.9 * height)),
    });
  }
}

/** 0 to 1: of the two views that are most alike; parts that either does not show don't count. */
export function likeness(one, other) {
  let best = 0;
  for (const a of one?.views ?? []) for (const b of other?.views ?? []) best = Math.max(best, ofViews(a, b));
  return best;
}

function ofViews(a, b) {
  let [sum, weight] = [0, 0];
  for (const [part, share] of Object.entries(WEIGHTS)) {
    if (!a[part] || !b[part]) continue;
    sum += share * (part === "face" ? correlation(a.face, b.face) : overlap(a[part], b[part]));
    weight += share;
  }
  return weight ? sum / weight : 0;
}

/** Light and shade with mean 0 and length 1, smoothed: a little turn of the head is no other face. */
function shading(data) {
  if (!data) return null;
  const light = Float32Array.from({ length: SIDE * SIDE }, (_, at) => 0.299 * data[4 * at] + 0.587 * data[4 * at + 1] + 0.114 * data[4 * at + 2]);
  const smooth = light.map((_, at) => {
    const [x, y] = [at % SIDE, Math.floor(at / SIDE)];
    let [sum, count] = [0, 0];
    for (let v = Math.max(0, y - 1); v <= Math.min(SIDE - 1, y + 1); v += 1)
      for (let u = Math.max(0, x - 1); u <= Math.min(SIDE - 1, x + 1); u += 1) ((sum += light[v * SIDE + u]), (count += 1));
    return sum / count;
  });
  const mean = smooth.reduce((sum, one) => sum + one, 0) / smooth.length;
  const length = Math.hypot(...smooth.map((one) => one - mean)) || 1;
  return smooth.map((one) => (one - mean) / length);
}

const correlation = (a, b) => Math.max(0, a.reduce((sum, one, at) => sum + one * b[at], 0));

/** How often each colour occurs, by its shares of red and green and its light. */
function colours(data) {
  if (!data) return null;
  const found = new Float32Array(HUES * HUES * LIGHTS);
  for (let at = 0; at < data.length; at += 4) {
    const [r, g, b] = [data[at] + 8, data[at + 1] + 8, data[at + 2] + 8]; // the dark has no colour
    const step = (share) => Math.min(HUES - 1, Math.floor(Math.max(0, (share - 0.15) / 0.4) * HUES));
    const light = Math.min(LIGHTS - 1, Math.floor(((r + g + b) / 3 / 264) * LIGHTS));
    found[(step(r / (r + g + b)) * HUES + step(g / (r + g + b))) * LIGHTS + light] += 4 / data.length;
  }
  return found;
}

const overlap = (a, b) => a.reduce((sum, one, at) => sum + Math.min(one, b[at]), 0);
