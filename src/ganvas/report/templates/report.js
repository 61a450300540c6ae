const film = [...document.querySelectorAll('#film img')], at = id => document.getElementById(id);
const range = at('moment'), play = at('play'), last = film.length - 1; let timer = 0;
function show(i) {
  range.value = i; at('now').src = film[i].src; at('now').alt = film[i].alt;
  at('when').textContent = film[i].dataset.at; range.setAttribute('aria-valuetext', film[i].dataset.at);
}
function stop() { clearInterval(timer); timer = 0; play.textContent = 'Play'; }
function next() { show(+range.value + 1); if (+range.value >= last) stop(); }
if (last > 0) {
  range.max = last; show(last); at('time').hidden = false; range.oninput = () => { stop(); show(+range.value); };
  play.onclick = () => {
    if (timer) return stop();
    show(+range.value < last ? +range.value : 0); play.textContent = 'Stop'; timer = setInterval(next, 350);
  };
}
