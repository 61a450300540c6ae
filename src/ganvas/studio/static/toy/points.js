// The real points of the plane: what the forger has to learn. All are within EDGE of the middle.

export const EDGE = 3; // half the side of the plane that is shown
const SPREAD = 0.1; // standard deviation of a spot, and of the distance from a curve
const NEAR = 3 * SPREAD; // a point this near to a centre belongs to it
const LEAST = 0.02; // share of the forged points that a centre needs to count as found
const DRAWN = 0.07; // standard deviation around a place that somebody has drawn

const ring = Array.from({ length: 8 }, (_, i) => [2 * Math.cos((i * Math.PI) / 4), 2 * Math.sin((i * Math.PI) / 4)]);
const grid = Array.from({ length: 9 }, (_, i) => [1.7 * ((i % 3) - 1), 1.7 * (Math.floor(i / 3) - 1)]);

const spots = (centres) => ({
  centres,
  place: (random) => [...centres[random.below(centres.length)]],
  spread: SPREAD,
});

/** The shapes: `place(random, drawn)` is a place on one, `spread` how far points are from it, `centres` its spots. */
export const SHAPES = {
  ring: { title: 'Ring of 8 spots', ...spots(ring) },
  grid: { title: 'Grid of 9 spots', ...spots(grid) },
  moons: {
    title: 'Two moons',
    spread: SPREAD,
    place(random) {
      const angle = Math.PI * random.uniform(),
        x = 1.5 * Math.cos(angle),
        y = 1.5 * Math.sin(angle);
      return random.below(2) ? [x - 0.75, y - 0.4] : [x + 0.75, 0.4 - y];
    },
  },
  line: {
    title: 'A line',
    spread: SPREAD,
    place(random) {
      const along = 4 * random.uniform() - 2;
      return [along, 0.6 * along];
    },
  },
  drawn: {
    title: 'Draw your own',
    spread: DRAWN,
    place: (random, drawn) => (drawn.length ? [...drawn[random.below(drawn.length)]] : [0, 0]),
  },
};

/** n real points of a shape as x, y, x, y, ...; `drawn`: the places [x, y] that somebody has drawn. */
export function realPoints(shape, n, random, drawn = []) {
  const { place, spread } = SHAPES[shape],
    points = new Float64Array(2 * n);
  for (let i = 0; i < n; i += 1) {
    const [x, y] = place(random, drawn);
    points[2 * i] = x + spread * random.normal();
    points[2 * i + 1] = y + spread * random.normal();
  }
  return points;
}

const near = (one, i, other, j, limit) => Math.hypot(one[i] - other[j], one[i + 1] - other[j + 1]) < limit;

/**
 * What the forger has found of a shape: for spots how many [found, of all], a spot being found where at least one in
 * fifty forged points is within three standard deviations of it; for other shapes the share of the real points with
 * a forged one as near.
 */
export function found(shape, forged, real) {
  const { centres } = SHAPES[shape],
    n = forged.length / 2;
  if (centres) {
    const count = centres.filter((centre) => {
      let close = 0;
      for (let i = 0; i < n; i += 1) close += near(forged, 2 * i, centre, 0, NEAR);
      return close >= LEAST * n;
    }).length;
    return { centres: [count, centres.length] };
  }
  let covered = 0;
  for (let j = 0; j < real.length; j += 2) {
    for (let i = 0; i < forged.length; i += 2) {
      if (near(forged, i, real, j, NEAR)) {
        covered += 1;
        break;
      }
    }
  }
  return { share: covered / (real.length / 2) };
}

/** How far points are from their middle: the root of the mean squared distance. */
export function spread(points) {
  const n = points.length / 2,
    middle = [0, 0];
  points.forEach((v, i) => {
    middle[i % 2] += v / n;
  });
  return Math.sqrt(points.reduce((sum, v, i) => sum + (v - middle[i % 2]) ** 2 / n, 0));
}
