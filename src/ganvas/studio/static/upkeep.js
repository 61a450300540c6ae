// Deleting and renaming a run: each asks in a dialog before it does anything.
import { h, get, post, runPath, short, say } from './dom.js';

/** Show a dialog; `work()` is done when its button is pressed, and an error of it is shown inside. */
function ask(title, content, label, work) {
  const wrong = h('p.error', { role: 'alert' }),
    cancel = h('button', { type: 'button', click: () => box.close() }, 'Cancel'),
    yes = h('button.main', {}, label);
  const submit = async (event) => {
    event.preventDefault();
    if (yes.getAttribute('aria-disabled')) return;
    yes.setAttribute('aria-disabled', 'true');
    wrong.textContent = '';
    try {
      await work();
      box.close();
    } catch (error) {
      wrong.textContent = error.message;
    }
    yes.removeAttribute('aria-disabled');
  };
  const form = h('form', { submit }, h('h2', { id: 'ask' }, title), content, wrong, h('.row', {}, yes, cancel));
  const box = h('dialog.card', { 'aria-labelledby': 'ask', close: () => box.remove() }, form);
  document.body.append(box);
  box.showModal();
  return box;
}

/** Delete a run for good, after a question that says how much it is. */
export async function remove(name, done) {
  const { files } = await get(runPath(name));
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const words = `All its pictures, models and metrics will be deleted from the disk (${files.length} files, ${short(bytes)} bytes). This cannot be undone.`;
  const box = ask(`Delete ${name}?`, h('p', {}, words), 'Delete', async () => {
    await post(runPath(name, '/delete'), { run: name });
    say(`${name} was deleted.`);
    await done();
  });
  box.querySelector('button[type=button]').focus(); // a key that was pressed too often deletes nothing
}

/** Give a run another name. */
export function rename(name, done) {
  const field = h('input', { id: 'new-name', maxlength: 120, required: true, autocomplete: 'off', pattern: '[\\w\\-][\\w.\\-]*', title: 'letters, digits, dots, hyphens and underscores' });
  field.value = name;
  ask(`Rename ${name}`, h('label', { for: 'new-name' }, 'New name ', field), 'Rename', async () => {
    if (field.value === name) return;
    const { run } = await post(runPath(name, '/rename'), { to: field.value });
    say(`Renamed to ${run}.`);
    await done();
  });
  field.select();
}
