// Drawing on a canvas with a mouse, a pen or a finger.

/** Let people draw on a canvas; `style(pen)` is called before each stroke to set its style. Returns the pen. */
export function penOn(canvas, style) {
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  let last = null;
  const stroke = (event) => {
    const box = canvas.getBoundingClientRect();
    const now = [
      ((event.clientX - box.left) / box.width) * canvas.width,
      ((event.clientY - box.top) / box.height) * canvas.height,
    ];
    style(pen);
    pen.lineCap = pen.lineJoin = 'round';
    pen.beginPath();
    pen.moveTo(...(last ?? now));
    pen.lineTo(...now);
    pen.stroke();
    last = now;
  };
  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = null;
    stroke(event);
  });
  canvas.addEventListener('pointermove', (event) => event.buttons && stroke(event));
  return pen;
}
