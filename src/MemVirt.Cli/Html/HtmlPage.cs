using System.Net;
using System.Reflection;
using System.Text;

namespace MemVirt.Cli.Html;

/// <summary>
/// A self-contained page: one file with its style, its scripts and its data, which fetches nothing. The data is the command's JSON; the
/// scripts draw it.
/// </summary>
internal static class HtmlPage
{
    /// <summary>Writes a page.</summary>
    /// <param name="stream">Where to.</param>
    /// <param name="title">Its title and heading.</param>
    /// <param name="json">The data, UTF-8; scripts find it parsed as <c>data</c>.</param>
    /// <param name="scripts">Names of the embedded scripts, in order; <c>common.js</c> runs before them.</param>
    public static void Write(Stream stream, string title, ReadOnlySpan<byte> json, params ReadOnlySpan<string> scripts)
    {
        string name = WebUtility.HtmlEncode(title);
        using var writer = new StreamWriter(stream, new UTF8Encoding(false), leaveOpen: true) { NewLine = "\n" };
        writer.WriteLine("<!doctype html>");
        writer.WriteLine("<html lang=\"en\">");
        writer.WriteLine("<meta charset=\"utf-8\">");
        writer.WriteLine("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
        writer.WriteLine("<meta name=\"color-scheme\" content=\"light dark\">");
        writer.WriteLine("<link rel=\"icon\" href=\"data:,\">");
        writer.WriteLine($"<title>{name}</title>");
        writer.WriteLine($"<style>\n{Resource("page.css")}</style>");
        writer.WriteLine($"<body>\n<main id=\"main\">\n<h1>{name}</h1>\n<noscript>This page draws its data with scripts of its own; allow them.</noscript>\n</main>");

        // In a script element only a "<" could end the data early.
        writer.WriteLine($"<script type=\"application/json\" id=\"data\">{Encoding.UTF8.GetString(json).Replace("<", "\\u003c", StringComparison.Ordinal)}</script>");
        writer.WriteLine($"<script>\n'use strict';\n{Resource("common.js")}");
        foreach (string script in scripts)
        {
            writer.WriteLine(Resource(script));
        }

        writer.WriteLine("</script>\n</body>\n</html>");
    }

    /// <summary>The program's version, which pages name.</summary>
    internal static string ProductVersion()
        => Assembly.GetExecutingAssembly().GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "";

    private static string Resource(string name)
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream($"MemVirt.Html.{name}")
            ?? throw new InvalidOperationException($"There is no embedded file {name}.");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
