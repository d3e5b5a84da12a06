import type { About } from '../explorer-page.ts';
import { linkTo, parseAddress } from './address.ts';
import { button, fill, make } from './element.ts';
import { registry, rememberedUser, signOut } from './registry.ts';
import { askJson, takeKey } from './request.ts';
import { signInForm } from './sign-in.ts';
import { visible } from './text.ts';
import { Trouble } from './trouble.ts';
import { sayTrouble } from './trouble-panel.ts';
import type { View } from './view.ts';
import { viewOf } from './view-of.ts';

const RETRY_AFTER = 2_000;

/** Draws what the address names, and again when it names something else. */
class Explorer {
  readonly #top = part('top');
  readonly #status = part('status');
  readonly #main = part('main');
  #about: About | undefined;
  #hasUsers: boolean | undefined;
  #view: View | undefined;
  #words = '';
  #visit = new AbortController();

  async show(): Promise<void> {
    const address = parseAddress(location.hash);
    if (this.#view?.update?.(address)) return;
    this.#visit.abort();
    this.#visit = new AbortController();
    const { signal } = this.#visit;
    this.#view = undefined;
    this.#status.textContent = 'Loading…';
    this.#main.setAttribute('aria-busy', 'true');
    try {
      this.#about ??= await askJson<About>('about.json', signal);
      this.#hasUsers ??= this.#about.kind === 'registry' && (await registry.hasUsers(signal));
      this.#head();
      const view = await viewOf(this.#about, { address, signal });
      if (signal.aborted) return;
      this.#view = view;
      document.title = `${visible(view.title)} – Strake explorer`;
      fill(this.#main, view.content);
      if (this.#words !== '' && this.#words !== address.words.join('/')) this.#main.focus();
      this.#words = address.words.join('/');
    } catch (error) {
      if (signal.aborted) return;
      this.#refused(error, signal);
    }
    this.#status.textContent = '';
    this.#main.removeAttribute('aria-busy');
  }

  /** Says so, and goes on by itself when it was a matter of time. */
  #refused(error: unknown, signal: AbortSignal): void {
    if (this.#about?.kind === 'registry' && error instanceof Trouble && error.status === 401) {
      const isKnown = rememberedUser() !== undefined;
      signOut();
      this.#head();
      this.#askForName(isKnown ? 'Not this name with this password.' : 'This registry wants to know who asks.');
      return;
    }
    fill(
      this.#main,
      sayTrouble(
        error,
        button('Try again', () => void this.show()),
      ),
    );
    if (error instanceof Trouble && error.passes) void this.#waitForAnswer(signal);
  }

  async #waitForAnswer(signal: AbortSignal): Promise<void> {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, RETRY_AFTER));
      if (signal.aborted) return;
      try {
        this.#about = await askJson<About>('about.json', signal);
        return await this.show();
      } catch {
        // still gone
      }
    }
  }

  /** Who has signed in to a registry that has users. */
  #user(): Element | undefined {
    const user = rememberedUser();
    if (user !== undefined)
      return make(
        'span',
        {},
        `${visible(user)} `,
        button('Sign out', () => {
          signOut();
          void this.show();
        }),
      );
    return this.#hasUsers ? button('Sign in', () => this.#askForName('')) : undefined;
  }

  #askForName(message: string): void {
    fill(
      this.#main,
      signInForm(message, () => void this.show()),
    );
  }

  #head(): void {
    const about = this.#about;
    if (!about) return;
    const { words } = parseAddress(location.hash);
    const places: [string[], string][] = [[[], about.kind === 'registry' ? 'Repositories' : 'Images']];
    if (about.kind === 'host' && about.isStrake) places.push([['tree'], 'Layers'], [['find'], 'Find']);
    const links = places.map(([to, title]) =>
      make(
        'li',
        {},
        make('a', { href: linkTo(to), 'aria-current': to.join('/') === words.join('/') ? 'page' : undefined }, title),
      ),
    );
    const where =
      about.kind === 'registry'
        ? `registry ${location.host}`
        : `${about.isStrake ? 'Strake' : 'Docker'} host ${visible(about.address)}`;
    fill(
      this.#top,
      make('strong', {}, 'Strake explorer'),
      make('nav', { 'aria-label': 'Places' }, make('ul', {}, links)),
      make('span', { class: 'where' }, where),
      about.kind === 'registry' ? this.#user() : undefined,
    );
  }
}

function part(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no ${id}`);
  return element;
}

history.replaceState(null, '', `#${takeKey(location.hash)}`);
const explorer = new Explorer();
addEventListener('hashchange', () => {
  // Another address of the same explorer may have been pasted, with its key.
  if (location.hash.startsWith('#key=')) history.replaceState(null, '', `#${takeKey(location.hash)}`);
  void explorer.show();
});
void explorer.show();
