using MemVirt.Cli.Output;
using MemVirt.Native.Terminals;

namespace MemVirt.Cli.Consoles;

/// <summary>Opens the console that suits this process's standard streams.</summary>
internal static class GuestConsoles
{
    /// <summary>The terminal in raw mode where standard input is one and this process has it, plain bytes where it is not.</summary>
    /// <param name="onStandardError">Whether the guest's output goes to standard error, standard output being for a document.</param>
    internal static IGuestConsole Open(bool onStandardError)
    {
        bool outputIsTerminal = !(onStandardError ? Console.IsErrorRedirected : Console.IsOutputRedirected);
        Stream output = onStandardError ? Console.OpenStandardError() : new StandardOutputStream();
        return RawTerminal.TryEnter(descriptor: 0) is { } terminal
            ? new TerminalConsole(terminal, output, outputIsTerminal)
            : new PlainConsole(Console.OpenStandardInput(), output);
    }
}
