// A run's live events.
import { runPath, get } from './dom.js';

const RETRY = 3000; // milliseconds before a lost server is tried again

/**
 * Follow a run's events; a lost connection resumes where it broke off.
 *
 * A browser holds only six connections to a server: a hidden page closes its own.
 * @param handlers a function for each kind of event, and `link(isUp)`
 */
export function follow(name, { link, ...handlers }) {
  let source = null,
    seen = '',
    retry = 0;
  const close = () => {
    clearTimeout(retry);
    source?.close();
    source = null;
  };
  const open = () => {
    close();
    source = new EventSource(runPath(name, `/events${seen && `?after=${seen}`}`));
    for (const [kind, handle] of Object.entries(handlers)) {
      source.addEventListener(kind, (event) => {
        seen = event.lastEventId || seen;
        handle(JSON.parse(event.data));
      });
    }
    source.addEventListener('open', () => link?.(true));
    source.addEventListener('error', () => {
      link?.(false);
      if (source?.readyState === EventSource.CLOSED) retry = setTimeout(reconnect, RETRY); // the browser has given up
    });
  };
  const reconnect = async () => {
    try {
      await get(runPath(name));
      open();
    } catch (error) {
      if (error.status === 404) handlers.gone?.({});
      else retry = setTimeout(reconnect, RETRY);
    }
  };
  const toggle = () => (document.hidden ? close() : open());
  document.addEventListener('visibilitychange', toggle);
  open();
  return {
    close() {
      document.removeEventListener('visibilitychange', toggle);
      close();
    },
  };
}
