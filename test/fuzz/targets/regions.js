// GeoJSON, as annotation tools export it.
import { flatten, readRegions } from '../../../lib/slides/geojson.js';
import { hold } from '../verdict.js';

export default {
  extension: '.geojson',
  words: [
    '"type":"Polygon"',
    '"type":"MultiPolygon"',
    '"type":"GeometryCollection"',
    '"features":[',
    '"geometry":',
    '"coordinates":[[[',
  ],
  async run(path) {
    const { points, ringStarts, ringPolygons } = flatten(await readRegions(path, 'input'), 4);
    hold(points.every(Number.isFinite), 'a point is not finite');
    hold(ringStarts.length === ringPolygons.length && ringStarts.length > 0, 'rings without a polygon');
    for (const [i, start] of ringStarts.entries()) {
      const end = ringStarts[i + 1] ?? points.length / 2;
      hold(end - start >= 3, 'a ring of fewer than three points');
    }
  },
};
