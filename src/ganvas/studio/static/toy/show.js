// What happens in time: training between two frames, the parts of a round in slow motion, pictures.
import { figure } from '../dom.js';
import { PHASES } from './words.js';

const BUSY = 9; // milliseconds of a frame that training may take when it is to be fast
const PHASE = 2600; // milliseconds of a part of a round in slow motion
const GLIDE = 900; // milliseconds in which points move to where the forger now puts them
const CALM = 500; // milliseconds between two pictures for those who want little motion
const TOLD = 300; // milliseconds between two changes of the words

/** The time between frames: trains, moves through the parts of a round, draws. */
export class Show {
  constructor(gan, plane, measured) {
    Object.assign(this, { gan, plane, figures: measured });
    this.still = matchMedia('(prefers-reduced-motion: reduce)');
    this.layers = { real: true, forged: true, pushes: true, surface: true };
    [this.playing, this.slow, this.fast, this.who] = [false, false, false, 'both'];
    [this.phase, this.due, this.from, this.moved, this.drawn, this.told] = [null, 0, null, 0, -CALM, -TOLD];
    this.stale = true; // the expert has to be asked again
    this.frame = requestAnimationFrame(this.#tick);
  }

  close() {
    cancelAnimationFrame(this.frame);
  }

  /** Draw anew soon, even while nothing is trained. */
  refresh() {
    this.stale = true;
    this.drawn = this.told = -TOLD - CALM;
  }

  /** One step of one network, or of both, and the words for it. */
  step(who = this.who) {
    const { gan } = this;
    if (!gan.ready) return;
    if (who === 'both') gan.round();
    else if (who === 'expert') gan.learnExpert();
    else gan.learnForger();
    if (who !== 'both') gan.rounds += 1;
    this.stale = true;
  }

  /** A step on demand: the points glide, and the list says what was learned. */
  single(who) {
    this.from = this.gan.forged();
    this.moved = performance.now();
    this.step(who);
    this.#measure();
    const { d, g } = this.gan.losses,
      told = { expert: ` Its loss on this batch: ${figure(d)}.`, forger: ` Its loss on this batch: ${figure(g)}.` };
    const both = `One round: the expert learned (loss ${figure(d)}), then the forger (loss ${figure(g)}).`;
    if (who === 'both') this.round.show(null, this.gan.settings, both);
    else this.round.show(who === 'expert' ? 1 : 3, this.gan.settings, told[who]);
    this.phase = null;
    this.refresh();
  }

  /** The next part of a round, in slow motion. */
  #advance(now) {
    const { gan } = this;
    this.phase = this.phase === null ? 0 : (this.phase + 1) % PHASES.length;
    this.due = now + PHASE;
    const { who } = PHASES[this.phase];
    if (this.phase === 1 && this.who !== 'forger') for (let i = 0; i < gan.settings.stepsD; i += 1) gan.learnExpert();
    if (this.phase === 3 && this.who !== 'expert') {
      this.from = gan.forged();
      this.moved = now;
      for (let i = 0; i < gan.settings.stepsG; i += 1) gan.learnForger();
    }
    if (this.phase === 3) {
      gan.rounds += 1;
      this.#measure();
    }
    const idle = this.who !== 'both' && this.who !== who && this.phase % 2 ? ' (It is not allowed to learn now.)' : '';
    this.round.show(this.phase, gan.settings, idle);
    this.refresh();
  }

  #measure() {
    this.figures.add(this.gan, this.gan.accuracy(this.gan.forged()));
  }

  #train(now) {
    if (this.slow) {
      if (now >= this.due) this.#advance(now);
      return;
    }
    const end = performance.now() + BUSY;
    do this.step();
    while (this.fast && performance.now() < end);
    this.#measure();
  }

  #tick = (now) => {
    this.frame = requestAnimationFrame(this.#tick);
    if (this.playing && this.gan.ready) this.#train(now);
    const resized = this.plane.resize(),
      glides = this.from && !this.still.matches && now - this.moved < GLIDE;
    if (!glides) this.from = null;
    const pause = this.still.matches && this.playing ? CALM : 0;
    if ((this.stale || resized || glides || this.from) && now - this.drawn >= pause) this.#draw(now);
  };

  #draw(now) {
    const { gan, plane, layers } = this,
      forged = gan.forged(),
      turn = this.playing && this.slow ? this.phase : null;
    if (layers.surface) plane.look(gan);
    const pushes = layers.pushes && (turn === null || turn >= 2) ? gan.pushes(forged) : null;
    const part = this.from ? Math.min(1, Math.max(0, (now - this.moved) / GLIDE)) : 1;
    const between = part < 1 ? forged.map((to, i) => this.from[i] + part * (to - this.from[i])) : forged;
    plane.draw({
      real: layers.real && gan.ready ? gan.show.real : null,
      forged: layers.forged ? between : null,
      pushes: part < 1 ? null : pushes,
      surface: layers.surface,
      cursor: this.pen?.cursor ?? null,
    });
    [this.stale, this.drawn] = [part < 1, now];
    if (now - this.told >= (this.still.matches ? CALM : TOLD)) {
      this.told = now;
      this.figures.tell(gan, forged, gan.accuracy(forged));
    } else if (!this.playing) this.stale = true; // the words follow
  }
}
